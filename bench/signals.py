"""A hundred thousand events taken away, and a stream of fifty thousand position alerts read: ./dev bench signals.

The real server over a database of its own. Exports are whole, from the first byte asked for to the last one read; the
reads of the stream follow one alert each, as somebody does who looks at a running strategy.
"""

import http.client
import json
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

import click

from bench import report
from bench.reads import book
from bench.telemetry import Server

BASE: Final = "/api/automated-signals"
EVENTS: Final = 100_000
ALERTS: Final = 50_000
ROUNDS: Final = 9
_SIDES: Final = {0: "flat", 1: "long", -1: "short"}


def asked(port: int, path: str, body: bytes | None = None) -> tuple[float, int, bytes]:
    """Seconds, size and the end of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.perf_counter()
    connection.request("GET" if body is None else "POST", BASE + path, body)
    answer = connection.getresponse()
    size, piece, kept = 0, b"-", b""
    while piece:
        piece = answer.read(1 << 20)
        size, kept = size + len(piece), (kept + piece)[-(1 << 20) :]
    took = time.perf_counter() - began
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {kept[:300]!r}")
    return took, size, kept


def alert(number: int) -> bytes:
    """The next alert of a strategy that is always in the market or, every fifth time, flat."""
    sizes = (1, -1, 1, -1, 0)
    after, before = sizes[number % 5], sizes[(number - 1) % 5] if number else 0
    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    said = {"ticker": "NQ1!", "strategy_name": "always", "action": "buy" if after > before else "sell"}
    said |= {"contracts": abs(after - before), "price": str(20_000 + number % 97), "timenow": at.isoformat()}
    said |= {"market_position": _SIDES[after], "market_position_size": abs(after)}
    said |= {"prev_market_position": _SIDES[before], "prev_market_position_size": abs(before)}
    return json.dumps(said).encode()


def exports(port: int) -> list[dict[str, Any]]:
    """Both exports, twice each."""
    rows = []
    for kind in ("csv", "ndjson"):
        taken = [asked(port, f"/export.{kind}") for _ in range(2)]
        took = min(seconds for seconds, _, _ in taken)
        rows.append({"read": f"export.{kind}", "events": EVENTS, "seconds": round(took, 2), "mb": taken[0][1] >> 20})
    return rows


def stream(port: int) -> list[dict[str, Any]]:
    """The import, the first fold and the reads that follow an alert each."""
    rows = []
    took, _, told = asked(port, "/import", b"\n".join(alert(number) for number in range(ALERTS)))
    rows.append({"read": "import of the stream", "events": json.loads(told)["stored"], "seconds": round(took, 2)})
    rows.append({"read": "its first fold", "events": ALERTS, "seconds": round(asked(port, "/stats")[0], 2)})
    after: dict[str, list[float]] = {"list after an alert": [], "its trade": []}
    for number in range(ALERTS, ALERTS + ROUNDS):
        asked(port, "", alert(number))
        took, _, listed = asked(port, "/trades?symbol=NQ1!&strategy=always&limit=1")
        after["list after an alert"].append(took)
        trade_id = json.loads(listed)["items"][0]["trade_id"]
        after["its trade"].append(asked(port, f"/trade/{trade_id}")[0])
    for name, seconds in after.items():
        rows.append({"read": name, "events": ALERTS, "seconds": round(median(seconds), 4)})
    return rows


@click.command()
def main() -> None:
    """Measure exports and long streams."""
    with book(EVENTS) as url:
        server = Server(url)
        server.start()
        try:
            asked(server.port, "/stats")
            rows = [*exports(server.port), *stream(server.port)]
        finally:
            server.kill()
    report.publish("signals", rows)


if __name__ == "__main__":
    main()
