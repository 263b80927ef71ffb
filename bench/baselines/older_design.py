"""Baseline (b): connect, insert, commit, close for every alert, as the straightforward older design does."""

import os

import psycopg2
from flask import Flask, Response, request

from state import jsontext

app = Flask("older_design")

INSERT = """
INSERT INTO automated_signals (trade_id, event_type, direction, entry_price, stop_loss, session, telemetry, event_key)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""


@app.post("/api/automated-signals/webhook")
def receive() -> Response:
    """Store one alert over a connection of its own."""
    text = request.get_data().decode()
    body = jsontext.parse(text)
    row = [body[name] for name in ("trade_id", "event_type", "direction", "entry_price", "stop_loss", "session")]
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    with connection.cursor() as cursor:
        cursor.execute(INSERT, (*row, text, body["trade_id"]))
    connection.commit()
    connection.close()
    return Response(jsontext.dump({"success": True, "trade_id": body["trade_id"]}), mimetype="application/json")
