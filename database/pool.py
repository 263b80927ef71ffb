"""A small pool per process: it waits, with a deadline, where others raise, and throws broken connections away."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Condition
from typing import TypeVar

import psycopg2

from database import driver
from database.driver import Connection
from errors import DatabaseError, Unavailable

T = TypeVar("T")


class Pool:
    """Up to `size` connections to one database, made when they are first needed."""

    def __init__(self, url: str, size: int) -> None:
        self.url = url
        self.size = size
        self._idle: list[Connection] = []
        self._open = 0
        self._freed = Condition()

    @contextmanager
    def transaction(self, *, timeout: float = 5.0) -> Iterator[Connection]:
        """A connection in a transaction: committed at the end, rolled back and translated on an error.

        `timeout` in seconds bounds the wait for a free connection and, where gevent runs, the work itself.
        Raises DatabaseError, or Unavailable when no connection became free in time.
        """
        with self._lent(timeout, autocommit=False) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def statements(self, *, timeout: float = 5.0) -> Iterator[Connection]:
        """A connection on which each statement is a transaction of its own: no round trips for BEGIN and COMMIT.

        For short reads, whose statements need not agree with one another. Bounds and errors as in `transaction`.
        """
        with self._lent(timeout, autocommit=True) as connection:
            yield connection

    @contextmanager
    def _lent(self, timeout: float, *, autocommit: bool) -> Iterator[Connection]:
        """A connection for the block, with its deadline and its errors translated; given back when it is healthy."""
        started = time.monotonic()
        connection = self._take(timeout)
        healthy = False
        try:
            connection.autocommit = autocommit
            with driver.deadline(timeout - (time.monotonic() - started)):
                yield connection
            healthy = True
        except (psycopg2.Error, UnicodeError) as error:
            raise driver.translate(error, connection) from error
        except ValueError as error:
            if driver.is_unwritable(error):
                raise driver.translate(error, connection) from error
            raise
        finally:
            self._give_back(connection, healthy)

    def read(self, work: Callable[[Connection], T], *, timeout: float = 5.0) -> T:
        """What `work` reads, in a transaction of its own.

        For lists and figures that may be a little old: a replica may answer them, and `work` may be called twice.
        """
        with self.transaction(timeout=timeout) as connection:
            return work(connection)

    def _take(self, timeout: float) -> Connection:
        give_up = time.monotonic() + timeout
        with self._freed:
            while not self._idle and self._open >= self.size:
                left = give_up - time.monotonic()
                if left <= 0 or not self._freed.wait(left):
                    raise Unavailable("too many requests are waiting for the database", retry_after=2)
            if self._idle:
                return self._idle.pop()
            self._open += 1
        try:
            return driver.connect(self.url, timeout=max(0.1, min(3.0, give_up - time.monotonic())))
        except BaseException:
            self._forget()
            raise

    def _give_back(self, connection: Connection, healthy: bool) -> None:
        if not healthy and not connection.closed:
            healthy = self._roll_back(connection)
        if not healthy or connection.closed:
            with suppress(psycopg2.Error):
                connection.close()
            self._forget()
            return
        with self._freed:
            self._idle.append(connection)
            self._freed.notify()

    @staticmethod
    def _roll_back(connection: Connection) -> bool:
        try:
            with driver.deadline(1.0):
                connection.rollback()
        except (psycopg2.Error, DatabaseError):
            return False
        return True

    def _forget(self) -> None:
        with self._freed:
            self._open -= 1
            self._freed.notify()

    def close(self) -> None:
        """Close the idle connections; those in use are closed by whoever uses them next."""
        with self._freed:
            idle, self._idle = self._idle, []
            self._open -= len(idle)
        for connection in idle:
            with suppress(psycopg2.Error):
                connection.close()
