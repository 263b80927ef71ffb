"""Group commit: the alerts that wait in one process at one moment share one INSERT and one COMMIT.

One writer takes whatever is pending and never waits for more, so an alert that comes alone goes alone and
at once. A row that the database will not take does not fail its neighbours: the group is then written one
by one.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue

import psycopg2
import structlog

from database import driver, receipts, signals
from database.driver import Connection
from database.receipts import Delivery
from database.rows import from_event
from database.signals import Row, Stored
from errors import DatabaseError, PoisonRow, QueryBug, RetryableDatabaseError, Unavailable
from state.event import SignalEvent

log = structlog.get_logger()

GROUP_LIMIT = 64
#: One attempt's deadline. Two of them, and a spooled alert, fit into the two seconds that an alert has.
ATTEMPT_SECONDS = 0.7


class _Pending:
    """The events of one alert and what became of them."""

    __slots__ = ("_settled", "abandoned", "delivery", "error", "events", "stored")

    def __init__(self, events: Sequence[SignalEvent], delivery: Delivery) -> None:
        self.events = events
        self.delivery = delivery
        self._settled = threading.Lock()
        self._settled.acquire()
        self.abandoned = False
        self.stored: list[Stored] | None = None
        self.error: DatabaseError | None = None

    def settle(self) -> None:
        """What became of them is known; once told is enough. A lock is an event at a tenth of the cost."""
        if self._settled.locked():
            self._settled.release()

    def wait(self, timeout: float) -> bool:
        """Whether what became of them was known within `timeout` seconds."""
        return self._settled.acquire(timeout=timeout)


class SignalWriter:
    """Writes events durably; one writer thread (a greenlet under gevent) and one connection per process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._queue: SimpleQueue[_Pending | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def write(self, events: Sequence[SignalEvent], *, timeout: float, delivery: Delivery) -> list[Stored]:
        """Store the events of one alert, all or none, and return once they are committed.

        A repeat leaves a receipt in the same transaction. Raises DatabaseError, or Unavailable when they were not
        durable after `timeout` seconds (they may become so later; writing them again is harmless).
        """
        if self._closed:
            raise Unavailable("the server is stopping", retry_after=2)
        pending = _Pending(events, delivery)
        self._queue.put(pending)
        self._keep_running()
        if not pending.wait(timeout):
            pending.abandoned = True
            raise Unavailable("the alert could not be stored in time", retry_after=5)
        if pending.error is not None:
            raise pending.error
        if pending.stored is None:
            raise Unavailable("the alert was not stored", retry_after=5)
        return pending.stored

    def close(self, timeout: float = 5.0) -> None:
        """Finish what is pending, then stop."""
        self._closed = True
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(timeout)

    def _keep_running(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="signal-writer", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            time.sleep(0)  # whoever is ready at this very moment joins the group
            while len(group) < GROUP_LIMIT and not self._queue.empty():
                pending = self._queue.get()
                if pending is None:
                    self._queue.put(None)  # after what came before it
                    break
                group.append(pending)
            waiting = [pending for pending in group if not pending.abandoned]
            if waiting:
                self._settle(waiting)
        self._disconnect()

    def _settle(self, group: list[_Pending]) -> None:
        try:
            self._write_group(group)
        except PoisonRow as error:
            if len(group) == 1:
                group[0].error = error
            else:
                # whoever has gone elsewhere in the meantime must not hold up the others
                for pending in group:
                    if not pending.abandoned:
                        self._settle([pending])
        except DatabaseError as error:
            for pending in group:
                pending.error = error
        finally:
            for pending in group:
                pending.settle()

    def _write_group(self, group: list[_Pending]) -> None:
        try:
            places = self._attempt(group)
        except RetryableDatabaseError as error:
            log.warning("alerts_written_again", code=error.code, alerts=len(group))
            places = self._attempt(group)
        position = 0
        for pending in group:
            pending.stored = places[position : position + len(pending.events)]
            position += len(pending.events)

    def _attempt(self, group: list[_Pending]) -> list[Stored]:
        """One transaction, or one more for repeats. A connection that failed is never used again."""
        connection = self._connection
        rows = [from_event(event) for pending in group for event in pending.events]
        senders = [pending.delivery for pending in group for _ in pending.events]
        try:
            with driver.deadline(ATTEMPT_SECONDS):
                if connection is None or connection.closed:
                    connection = self._connection = driver.connect(self._url, timeout=ATTEMPT_SECONDS)
                replayed = any(sender.replay_of is not None for sender in senders)
                places = None if replayed else signals.commit_new_rows(connection, rows)
                return places or self._with_receipts(connection, rows, senders)
        except (psycopg2.Error, ValueError, RecursionError) as error:
            translated = driver.translate(error, connection)
            self._disconnect()
            if isinstance(translated, QueryBug):
                log.error("alert_query_failed", exc_info=error)
            raise translated from error
        except DatabaseError:
            self._disconnect()
            raise

    @staticmethod
    def _with_receipts(connection: Connection, rows: list[Row], senders: list[Delivery]) -> list[Stored]:
        """Where each row is, in a transaction that leaves a receipt for each that is a repeat or a replay."""
        places = signals.insert_rows(connection, rows)
        receipts.insert_repeats(
            connection,
            [
                receipts.Outcome(row["trade_id"], row["body_hash"], place, sender)
                for row, place, sender in zip(rows, places, senders, strict=True)
            ],
        )
        connection.commit()
        return places

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg2.Error):
                connection.close()
