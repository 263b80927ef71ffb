"""Each process's background work for intake: notice when the database is back, empty the spool, report counts."""

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import psycopg2
import structlog

from database import driver, quarantine, receipts, signals
from database import spool as spools
from database.driver import Connection
from database.durable import Breaker
from database.notices import insert_notice
from database.pool import Pool
from database.queries import QUERIES
from database.receipts import Delivery, Outcome, Tally
from database.spool import Spool, Waiting
from errors import DatabaseError, PoisonRow, Unavailable
from state import jsontext

log = structlog.get_logger()

ROUND_SECONDS: Final = 0.25
PROBE_SECONDS: Final = 0.8
REPORT_SECONDS: Final = 2.0
PRUNE_SECONDS: Final = 60.0
#: Each time waits for two disks, which may take longer than the moving itself.
DRAIN_AT_ONCE: Final = 1000
#: Room for a slow disk: what took longer would be tried again and again.
MOVE_SECONDS: Final = 20.0


class Caretaker:
    """A thread (a greenlet under gevent) that does its rounds until it is stopped."""

    def __init__(self, pool: Pool, spool: Spool, breaker: Breaker, tally: Tally) -> None:
        self._pool, self._spool, self._breaker, self._tally = pool, spool, breaker, tally
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._reported = self._pruned = 0.0
        self._trouble: str | None = None

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
        if self._thread is None or not self._thread.is_alive():
            self._reported = 0.0
            self.round()

    def _run(self) -> None:
        try:
            while not self._stop.wait(ROUND_SECONDS):
                self.round()
        finally:
            if not self._stop.is_set():  # a fault that nobody foresaw must not leave the spool to itself
                self._thread = None
                self.start()

    def round(self) -> None:
        """One look at everything. A database that fails on the way ends the round, and nothing is lost by that."""
        if self._breaker.away and not self._probe():
            self._save()
            return
        try:
            self.drain()
            self._tell_full()
            now = time.monotonic()
            if now - self._reported > REPORT_SECONDS:
                self._tally.report(self._pool)
                self._reported = now
            if now - self._pruned > PRUNE_SECONDS:
                self._prune()
                self._pruned = now
        except (DatabaseError, Unavailable) as error:
            self._note(error.code)
        else:
            self._note(None)

    def _tell_full(self) -> None:
        """A spool that was full is told once the database, whose absence had filled it, can take a notice."""
        since = self._spool.full_since()
        if since is None:
            return
        host, at = socket.gethostname(), since.isoformat(timespec="seconds")
        with self._pool.transaction() as connection:
            insert_notice(
                connection,
                kind="spool",
                fact=f"spool:{host}:{since.isoformat()}",
                title=f"The spool of {host} was full at {at}: senders were told to come again",
                detail={"host": host, "since": since},
            )
        self._spool.forget_full()

    def _note(self, trouble: str | None) -> None:
        if trouble not in (None, self._trouble):
            log.warning("caretaker_hindered", code=trouble)
        self._trouble = trouble

    def _save(self) -> None:
        """What is only in memory goes to the spool, so that the end of this process does not take it along."""
        with suppress(DatabaseError, Unavailable):
            self._tally.save(self._spool)

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
            with self._pool.transaction(timeout=MOVE_SECONDS) as connection:
                _insert_events(connection, [one for one in waiting if one.kind == spools.EVENTS])
                for one in waiting:
                    if one.kind == spools.QUARANTINE:
                        quarantine.insert_spooled(connection, jsontext.stored(one.content))
                    elif one.kind == spools.RECEIPTS:
                        receipts.insert_spooled(connection, one.content)
        except (PoisonRow, ValueError, KeyError, TypeError) as error:
            if len(waiting) > 1:
                half = len(waiting) // 2
                self._move(waiting[:half])
                self._move(waiting[half:])
                return
            with self._pool.transaction() as connection:
                reason = error if isinstance(error, PoisonRow) else PoisonRow("the spool holds something unreadable")
                quarantine.insert_poison(connection, waiting[0].content, reason)


def _insert_events(connection: Connection, waiting: Sequence[Waiting]) -> None:
    """Store spooled events as if they had come through at once, with a receipt for each repeat among them."""
    rows: list[dict[str, Any]] = []
    senders: list[Delivery] = []
    for one in waiting:
        spooled = jsontext.stored(one.content)
        for row in spooled["rows"]:
            row["received_at"] = datetime.fromisoformat(row["received_at"])
            rows.append(row)
            senders.append(Delivery(row["received_at"], spooled["peer"], spooled["replay_of"]))
    if rows:
        places = signals.insert_rows(connection, rows)
        outcomes = [
            Outcome(row["trade_id"], row["body_hash"], place, sender)
            for row, place, sender in zip(rows, places, senders, strict=True)
        ]
        receipts.insert_repeats(connection, outcomes)
