"""Each process's background work for intake: notice when the database is back, empty the spool, report counts."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import psycopg2
import structlog

from database import driver, quarantine, signals
from database import spool as spools
from database.durable import Breaker
from database.pool import Pool
from database.queries import QUERIES
from database.receipts import Tally
from database.spool import Spool, Waiting
from errors import DatabaseError, PoisonRow, Unavailable
from state import jsontext

log = structlog.get_logger()

ROUND_SECONDS: Final = 0.25
PROBE_SECONDS: Final = 0.8
REPORT_SECONDS: Final = 2.0
PRUNE_SECONDS: Final = 60.0
DRAIN_AT_ONCE: Final = 64


class Caretaker:
    """A thread (a greenlet under gevent) that does its rounds until it is stopped."""

    def __init__(self, pool: Pool, spool: Spool, breaker: Breaker, tally: Tally) -> None:
        self._pool, self._spool, self._breaker, self._tally = pool, spool, breaker, tally
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._reported = self._pruned = 0.0

    def start(self) -> None:
        """Begin; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="caretaker", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the round under way, with a last report."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.wait(ROUND_SECONDS):
            self.round()
        self._reported = 0.0
        self.round()

    def round(self) -> None:
        """One look at everything. A database that fails on the way ends the round, and nothing is lost by that."""
        if self._breaker.away and not self._probe():
            return
        with suppress(DatabaseError, Unavailable):
            self.drain()
            now = time.monotonic()
            if now - self._reported > REPORT_SECONDS:
                self._tally.report(self._pool)
                self._reported = now
            if now - self._pruned > PRUNE_SECONDS:
                self._prune()
                self._pruned = now

    def _prune(self) -> None:
        signals.delete_old_window(self._pool, now=datetime.now(UTC))
        with self._pool.transaction() as connection:
            QUERIES.intake.delete_old_failures(connection)

    def _probe(self) -> bool:
        """Ask the database over a fresh connection: an old one may still hang where it hung."""
        try:
            with driver.deadline(PROBE_SECONDS):
                connection = driver.connect(self._pool.url, timeout=PROBE_SECONDS)
                try:
                    connection.cursor().execute("SELECT 1")
                finally:
                    connection.close()
        except (psycopg2.Error, DatabaseError):
            return False
        self._breaker.close()
        return True

    def drain(self) -> int:
        """Move what the spool holds into the database, oldest first, each delivery once; returns how many."""
        moved = 0
        with self._spool.draining() as ours:
            while ours and (waiting := self._spool.take(DRAIN_AT_ONCE)):
                self._move(waiting)
                self._spool.remove([one.id for one in waiting])
                moved += len(waiting)
        if moved:
            log.info("spool_drained", deliveries=moved)
        return moved

    def _move(self, waiting: Sequence[Waiting]) -> None:
        try:
            with self._pool.transaction() as connection:
                rows = [row for one in waiting if one.kind == spools.EVENTS for row in _rows(one)]
                if rows:
                    signals.insert_rows(connection, rows)
                for one in waiting:
                    if one.kind == spools.QUARANTINE:
                        quarantine.insert_spooled(connection, jsontext.stored(one.content))
        except PoisonRow as error:
            if len(waiting) > 1:
                for one in waiting:
                    self._move([one])
                return
            with self._pool.transaction() as connection:
                quarantine.insert_poison(connection, waiting[0].content, error)


def _rows(one: Waiting) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = jsontext.stored(one.content)
    for row in rows:
        row["received_at"] = datetime.fromisoformat(row["received_at"])
    return rows
