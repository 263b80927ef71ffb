"""What an alert costs on top of nothing, a million and five million stored events: ./dev bench growth.

Alerts of new trades through the real server, eight senders with kept connections, in rounds; the figure is the
processor time of the server and of PostgreSQL for each alert, and the alerts stored per second. Five million takes
about eight minutes to fill; --millions 1 leaves it out.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import click
import psutil

from bench import report
from bench.load import Load
from bench.reads import book
from bench.telemetry import Server
from database import migrate
from database.embedded import EmbeddedPostgres

PATH = "/api/automated-signals/webhook"
SENDERS = 8
#: How much more an alert may cost than on an empty database.
LIMIT = 1.3


@contextmanager
def empty() -> Iterator[str]:
    """The address of a database without any event."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-book-")))
        postgres = EmbeddedPostgres(folder)
        stack.callback(postgres.stop)
        url = postgres.start()
        migrate.apply(url)
        yield url


def used() -> float:
    """Seconds of processor time of this process's children and theirs, ended ones that were waited for too."""
    seconds = 0.0
    for process in psutil.Process().children(recursive=True):
        times = process.cpu_times()
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def measure(url: str, rounds: int, seconds: float) -> tuple[float, float]:
    """(microseconds of processor time per alert, alerts per second), medians of the rounds."""
    server = Server(url)
    server.start()
    costs, speeds = [], []
    try:
        Load(server.port, PATH, senders=SENDERS, keep=True).run(seconds)
        for _ in range(rounds):
            began = used()
            run = Load(server.port, PATH, senders=SENDERS, keep=True).run(seconds)
            if run.failures:
                raise SystemExit(f"{run.failures} alerts were not stored")
            costs.append(1_000_000 * (used() - began) / len(run.latencies))
            speeds.append(run.per_second)
    finally:
        server.stop()
    return median(costs), median(speeds)


@click.command()
@click.option("--millions", type=click.Choice(["1", "5"]), default="5", show_default=True)
@click.option("--rounds", default=7, show_default=True)
@click.option("--seconds", default=3.0, show_default=True)
def main(millions: str, rounds: int, seconds: float) -> None:
    """Measure the cost of an alert as the book grows."""
    rows = []
    for events in [0, 1_000_000] if millions == "1" else [0, 1_000_000, 5_000_000]:
        began = time.perf_counter()
        with empty() if events == 0 else book(events) as url:
            sys.stdout.write(f"{events:,} events made in {time.perf_counter() - began:.0f} s\n")
            cost, speed = measure(url, rounds, seconds)
        row = {"events": events, "us_per_alert": round(cost), "per_second": round(speed)}
        if rows:
            row["times_dearer"] = round(cost / rows[0]["us_per_alert"], 2)
            row["met"] = row["times_dearer"] <= LIMIT
        rows.append(row)
    report.publish("growth", rows)


if __name__ == "__main__":
    main()
