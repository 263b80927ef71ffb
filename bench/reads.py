"""What each read costs over a million stored events, and over five: ./dev bench reads [--millions 5].

The real server over a PostgreSQL filled by `bench.fill`; one kept-alive client, and both sizes read in turns. Each
figure is the median of the rounds, in milliseconds: `quiet` when nothing came in between, `after_alert` as the first
read after an alert of an ordinary trade (of the trade itself, where one is read), `first` right after the server's
start.
"""

import http.client
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import click

from bench import report
from bench.fill import LONG_TRADE, QUICK, fill
from bench.load import PLACE, TEMPLATE
from bench.telemetry import Server
from database import migrate
from database.embedded import EmbeddedPostgres
from handlers.feed import feed_cursor

BASE: Final = "/api/automated-signals"
#: How much slower a read may be over five million events than over one, where it is bounded by its page or its days.
GROWTH: Final = 1.5


@dataclass(slots=True)
class Read:
    """One read: its address, the most that it may take in milliseconds, and the trade whose alert it follows."""

    name: str
    path: str
    target: float
    bounded: bool = True
    trade: str | None = None
    quiet: list[float] = field(default_factory=list)
    after_alert: list[float] = field(default_factory=list)
    first: float = 0.0


class Client:
    """One kept-alive connection; what it reads lies under `base`."""

    def __init__(self, port: int, base: str = BASE) -> None:
        self._base = base
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=900)

    def get(self, path: str) -> tuple[float, bytes]:
        """(milliseconds, body) of a good answer."""
        began = time.perf_counter()
        self._connection.request("GET", self._base + path)
        answer = self._connection.getresponse()
        body = answer.read()
        took = 1000 * (time.perf_counter() - began)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
        return took, body

    def trade(self, trade_id: str) -> dict[str, Any]:
        """A trade, without its events."""
        return dict(json.loads(self.get(f"/trade/{trade_id}")[1])["trade"])

    def alert(self, trade: dict[str, Any]) -> None:
        """A new MFE update of a trade, as its own strategy sends it, answered as stored."""
        told = json.loads(TEMPLATE.replace(PLACE, trade["trade_id"].encode()))
        told |= {name: trade[name] for name in ("symbol", "direction", "strategy_id")}
        told |= {"event_type": "MFE_UPDATE", "event_timestamp": datetime.now(UTC).isoformat(), "mfe_R": 1.25}
        body = json.dumps({**told, "strategy_name": trade["strategy"]})
        self._connection.request("POST", f"{BASE}/webhook", body)
        answer = self._connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"webhook: {answer.status} {answer.read()[:200]!r}")
        answer.read()


@contextmanager
def book(events: int) -> Iterator[str]:
    """The address of a database with so many events, for as long as the block runs."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-book-")))
        filling = EmbeddedPostgres(folder, settings=QUICK)
        try:
            url = filling.start()
            migrate.apply(url)
            fill(url, events)
        finally:
            filling.stop()
        postgres = EmbeddedPostgres(folder)
        stack.callback(postgres.stop)
        yield postgres.start()


def reads(trade_id: str, events: int) -> list[Read]:
    """What is measured, each with its target."""
    today = datetime.now(UTC).date()
    month = f"start_date={today - timedelta(days=40)}&end_date={today - timedelta(days=10)}"
    since = today - timedelta(days=30)
    return [
        Read("one trade of 20 events", f"/trade/{trade_id}", 5, trade=trade_id),
        Read("one trade of 5,000 events", f"/trade/{LONG_TRADE}", 60, trade=LONG_TRADE),
        Read("first page, completed", "/trades?status=COMPLETED", 15),
        Read("first page, open", "/trades?status=ACTIVE,BE_PROTECTED", 15),
        Read("feed, a page", f"/events?cursor={feed_cursor(events // 2)}", 5),
        Read("feed, its end", f"/events?cursor={feed_cursor(events + 4_990)}", 5),
        Read("stats, 30 days", f"/stats?from={since}", 60),
        Read("stats, all", "/stats", 600, bounded=False),
        Read("dashboard-data", "/dashboard-data", 40),
        Read("integrity report", "/integrity-report", 600, bounded=False),
        Read("hub-data, a month", f"/hub-data?{month}", 150),
    ]


class Book:
    """A filled database with a server before it, folded once, and what is read of it."""

    def __init__(self, url: str, events: int) -> None:
        self.events = events
        self.server = Server(url)
        self.server.start()
        self.client = Client(self.server.port)
        #: seconds that the fold of everything took
        self.caught_up = self.client.get("/stats?from=2099-01-01")[0] / 1000
        items = json.loads(self.client.get("/trades?status=ACTIVE,BE_PROTECTED&limit=50")[1])["items"]
        self.ordinary = min(items, key=lambda trade: abs(trade["event_count"] - 20))["trade_id"]
        self.reads = reads(self.ordinary, events)
        self.alerted = {name: self.client.trade(name) for name in (self.ordinary, LONG_TRADE)}

    def read(self, read: Read) -> None:
        """Once, with nothing before it."""
        read.quiet.append(self.client.get(read.path)[0])

    def read_after_alert(self, read: Read) -> None:
        """Once, right after an alert was stored."""
        self.client.alert(self.alerted[read.trade or self.ordinary])
        read.after_alert.append(self.client.get(read.path)[0])

    def read_first(self, read: Read) -> None:
        """As the first of a new server."""
        self.server.start()
        try:
            read.first = Client(self.server.port).get(read.path)[0]
        finally:
            self.server.stop()


def measure(books: list[Book], rounds: int) -> None:
    """Read everything in rounds, each read of one book right after the same of the other."""
    try:
        for way in (Book.read, Book.read_after_alert):
            for _ in range(rounds):
                for same in zip(*(one.reads for one in books), strict=True):
                    for one, read in zip(books, same, strict=True):
                        way(one, read)
    finally:
        for one in books:
            one.server.stop()
    for one in books:
        for read in one.reads:
            one.read_first(read)


def rows(measured: list[Read], events: int, before: dict[str, float]) -> list[dict[str, Any]]:
    """The table of one size; `before` has the medians of the smaller one by name."""
    lines = []
    for read in measured:
        quiet, after = median(read.quiet), median(read.after_alert)
        row: dict[str, Any] = {"events": events, "read": read.name, "target_ms": read.target}
        row |= {"quiet_ms": round(quiet, 1), "after_alert_ms": round(after, 1), "first_ms": round(read.first)}
        row["met"] = max(quiet, after) <= read.target
        if read.name in before:
            row["times_slower"] = round(quiet / before[read.name], 2)
            row["met"] = row["times_slower"] <= GROWTH if read.bounded else ""
        lines.append(row)
    return lines


@click.command()
@click.option("--millions", type=click.Choice(["1", "5"]), default="1", show_default=True, help="5 measures both")
@click.option("--rounds", default=9, show_default=True)
def main(millions: str, rounds: int) -> None:
    """Measure the reads over a million events, and over five."""
    lines: list[dict[str, Any]] = []
    before: dict[str, float] = {}
    with ExitStack() as stack:
        books = []
        for size in [1_000_000] if millions == "1" else [1_000_000, 5_000_000]:
            began = time.perf_counter()
            url = stack.enter_context(book(size))
            sys.stdout.write(f"{size:,} events made in {time.perf_counter() - began:.0f} s\n")
            books.append(Book(url, size))
        measure(books, rounds)
    for one in books:
        lines += rows(one.reads, one.events, before)
        lines.append({"events": one.events, "read": "folding everything", "seconds": round(one.caught_up, 1)})
        before = {read.name: median(read.quiet) for read in one.reads}
    report.publish("reads", lines)


if __name__ == "__main__":
    main()
