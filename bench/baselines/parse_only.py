"""Baseline (a): the same server settings, a route that parses an alert and answers, and stores nothing."""

from flask import Flask, Response, request

from state import jsontext

app = Flask("parse_only")


@app.post("/api/automated-signals/webhook")
def receive() -> Response:
    """Parse and answer."""
    body = jsontext.parse(request.get_data().decode())
    return Response(jsontext.dump({"success": True, "trade_id": body["trade_id"]}), mimetype="application/json")
