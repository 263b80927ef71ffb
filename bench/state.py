"""Folds per second, without a database: short trades, one of 5,000 events, and a stream of position alerts.

    ./dev bench state [--rounds 7]

The events are read from full telemetry bodies and from order alerts by the receiver's own reading. `extended` is what
one more alert costs a trade of 5,000 events whose state is known, as against folding all of it again.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

import click

from bench import report
from bench.load import PLACE, TEMPLATE
from handlers import payloads
from state import jsontext
from state.event import SignalEvent
from state.position import fold_stream
from state.trade import fold

START = datetime(2026, 1, 5, tzinfo=UTC)
LONG = 5_000
SHORT = 20


def read(body: str, at: datetime) -> SignalEvent:
    """The event of one alert."""
    (event,) = payloads.read(jsontext.parse(body), payloads.Context(at, "UTC")).outcomes
    return event


def trade(trade_id: str, size: int) -> list[SignalEvent]:
    """The events of a trade: an entry, MFE updates, a stop loss."""
    told = json.loads(TEMPLATE.replace(PLACE, trade_id.encode()))
    events = []
    for place in range(size):
        kind = "ENTRY" if place == 0 else "EXIT_STOP_LOSS" if place == size - 1 else "MFE_UPDATE"
        at = START + timedelta(minutes=place)
        body = {**told, "event_type": kind, "event_timestamp": at.isoformat(), "mfe_R": round(place * 0.05, 2)}
        events.append(read(json.dumps(body), at))
    return events


def stream(size: int) -> list[SignalEvent]:
    """The order alerts of a strategy that opens, adds, takes some off and closes, over and over."""
    events = []
    course = [("buy", 0, 1), ("buy", 1, 2), ("sell", 2, 1), ("sell", 1, 0)]
    for place in range(size):
        action, before, after = course[place % 4]
        at = START + timedelta(minutes=place)
        body = {
            "ticker": "NQ1!", "exchange": "CME_MINI", "interval": "5", "strategy_name": "EMA Cross", "action": action,
            "contracts": 1, "price": 20_000 + place % 97, "timenow": at.isoformat(),
            "market_position": "long" if after else "flat", "market_position_size": after,
            "prev_market_position": "long" if before else "flat", "prev_market_position_size": before,
        }  # fmt: skip
        events.append(read(json.dumps(body), at))
    return events


def timed(work: Callable[[], object], rounds: int) -> float:
    """The median of the seconds of processor time that the work takes."""
    took = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return median(took)


@click.command()
@click.option("--rounds", default=7, show_default=True)
def main(rounds: int) -> None:
    """Measure folds per second."""
    short = [trade(f"short-{number}", SHORT) for number in range(100)]
    long, alerts = trade("long", LONG), stream(LONG)
    shapes = [
        (f"trades of {SHORT} events", lambda: [fold(events) for events in short], 100, 100 * SHORT),
        (f"one trade of {LONG:,} events", lambda: fold(long), 1, LONG),
        (f"a stream of {LONG:,} position alerts", lambda: fold_stream(alerts), 1, LONG),
    ]
    rows = []
    for name, work, folds, events in shapes:
        seconds = timed(work, rounds)
        rows.append(
            {"what": name, "folds_per_second": round(folds / seconds, 1), "events_per_second": round(events / seconds)}
        )
    report.publish("state", rows)


if __name__ == "__main__":
    main()
