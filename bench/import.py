"""Alerts imported per second: NDJSON of full telemetry bodies, posted in one request to the real server.

    ./dev bench import [--lines 50000] [--rounds 5]

Every round sends trades that were never sent before; `again` is the same file a second time, all duplicates.
"""

import http.client
import json
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import click

from bench import report
from bench.load import PLACE, TEMPLATE
from bench.telemetry import Server
from database import migrate
from database.embedded import EmbeddedPostgres

PER_TRADE = 20
TARGET = 10_000


def lines(count: int, prefix: str) -> bytes:
    """So many bodies as NDJSON: trades of twenty events, a minute apart."""
    start = datetime(2026, 1, 5, tzinfo=UTC)
    told = json.loads(TEMPLATE)
    made = []
    for number in range(count):
        trade, place = divmod(number, PER_TRADE)
        kind = "ENTRY" if place == 0 else "EXIT_STOP_LOSS" if place == PER_TRADE - 1 else "MFE_UPDATE"
        at = (start + timedelta(minutes=number)).isoformat()
        body = {**told, "event_type": kind, "event_timestamp": at, "mfe_R": round(place * 0.05, 2)}
        made.append(json.dumps(body).encode().replace(PLACE, f"{prefix}-{trade}".encode()))
    return b"\n".join(made) + b"\n"


def send(port: int, body: bytes, stored: int) -> float:
    """Lines per second of one import, all of which must be taken and so many of them be new."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=900)
    began = time.perf_counter()
    connection.request("POST", "/api/automated-signals/import", body, {"Content-Type": "application/x-ndjson"})
    answer = json.loads(connection.getresponse().read())
    took = time.perf_counter() - began
    if (answer.get("refused_count"), answer.get("stored")) != (0, stored):
        raise SystemExit(f"the import went wrong: {str(answer)[:500]}")
    return answer["lines"] / took


@click.command()
@click.option("--lines", "count", default=50_000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(count: int, rounds: int) -> None:
    """Measure the import of alerts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-import-")))
        postgres = EmbeddedPostgres(folder)
        url = postgres.start()
        stack.callback(postgres.stop)
        migrate.apply(url)
        server = Server(url)
        server.start()
        stack.callback(server.stop)
        new, again = [], []
        for number in range(rounds):
            body = lines(count, f"import-{number}")
            new.append(send(server.port, body, count))
            again.append(send(server.port, body, 0))
    report.publish(
        "import",
        [
            {"lines": count, "what": "new", "per_second": round(median(new)), "target": TARGET},
            {"lines": count, "what": "again", "per_second": round(median(again))},
        ],
    )


if __name__ == "__main__":
    main()
