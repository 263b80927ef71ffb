"""A script that trades a random walk and records everything it does.

    pip install ./telemetry_client
    python docs/examples/telemetry_random_walk.py --url http://127.0.0.1:5000 --seconds 120 --rate 500

It prints the accounts of `stats()` and how long the record calls took, as one JSON object. Stop, freeze or restart
the server meanwhile: the script does not notice, and loses nothing that the accounts do not tell.
"""

import argparse
import itertools
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import partial

from telemetry_client import HttpStorage, TelemetryManager

SCRIPT = "random_walk"


def trade(telemetry: TelemetryManager, profile: int, seed: int) -> Iterator[Callable[[], None]]:
    """The record calls of a script that buys breakouts of a random walk, one after the other, for ever."""
    dice = random.Random(seed)
    price, equity, realized = 500.0, 10_000.0, 0.0
    signal, order = telemetry.record_breakout_signal, telemetry.record_order_metric
    for number in itertools.count():
        buy = partial(order, profile, "SPY", "limit", "buy", order_id=f"{seed}-{number}", script_name=SCRIPT)
        signal_price, strength = price, dice.random()
        yield partial(signal, profile, "SPY", "upward", strength, price, 1.25, dice.randint(100, 10_000))
        yield partial(telemetry.record_api_latency, profile, SCRIPT, dice.lognormvariate(3, 0.5))
        yield partial(buy, status="pending", quantity=5, limit_price=price)
        entry, entered = round(price + dice.uniform(-0.02, 0.05), 2), datetime.now(timezone.utc)
        yield partial(buy, status="filled", quantity=5, filled_price=entry)
        price = round(price + dice.gauss(0, 0.5), 2)
        gain = (price - entry) * 5
        realized, equity = realized + gain, equity + gain
        left = datetime.now(timezone.utc)
        reason = "profit_target" if gain > 0 else "stop_loss"
        outcome = partial(telemetry.record_breakout_outcome, profile, "SPY", entry, price, 5, entered, left)
        yield partial(outcome, bar_strength=strength, signal_price=signal_price, metadata={"exit_reason": reason})
        yield partial(telemetry.record_equity_update, profile, equity, 0.0, realized, entry * 5, equity - entry * 5, 1)
        yield partial(telemetry.record_system_health, profile, SCRIPT, "healthy", api_rate_limit_remaining=150)


def run(telemetry: TelemetryManager, profile: int, seconds: float, rate: float, seed: int) -> list[int]:
    """Record at this rate for so long; returns how many nanoseconds each call took."""
    took = []
    calls = trade(telemetry, profile, seed)
    start = time.perf_counter()
    for place in range(int(seconds * rate)):
        wait = start + place / rate - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        call = next(calls)
        began = time.perf_counter_ns()
        call()
        took.append(time.perf_counter_ns() - began)
    return took


def main() -> None:
    """Trade, flush, and print the accounts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:5000")
    parser.add_argument("--api-key", default=None)
    parser.add_argument("--profile", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--rate", type=float, default=500, help="records per second")
    parser.add_argument("--spool", default=None, help="a file for what could not be sent")
    parser.add_argument("--flush", type=float, default=60, help="seconds to wait for the server at the end")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    storage = HttpStorage(given.url, given.api_key, timeout=2.0)
    telemetry = TelemetryManager(storage, flush_interval_seconds=1.0, spool_path=given.spool)
    took = sorted(run(telemetry, given.profile, given.seconds, given.rate, given.seed))
    if given.flush:
        telemetry.flush(given.flush)
    telemetry.close()
    micros = {"p50": took[len(took) // 2] / 1000, "p99": took[int(len(took) * 0.99)] / 1000}
    json.dump({"stats": telemetry.stats(), "record_call_microseconds": micros}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
