"""What every use of psycopg2 shares: reading JSON exactly, deadlines, and errors told apart by SQLSTATE."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg2
import psycopg2.extras
from psycopg2 import extensions

from errors import DatabaseError, PoisonRow, QueryBug, RetryableDatabaseError, TransactionConflict
from state import jsontext

psycopg2.extras.register_default_jsonb(globally=True, loads=jsontext.stored)
psycopg2.extras.register_default_json(globally=True, loads=jsontext.stored)

Connection = Any  # psycopg2's stubs do not know cursor factories given to connect()

_CONFLICTS: Final = frozenset({"40001", "40P01", "55P03"})
_RETRYABLE: Final = frozenset({"57014", "25006", "25P03"})
_RETRYABLE_CLASSES: Final = ("08", "53", "57P0", "58")
_POISON_CLASSES: Final = ("22", "54", "23")


class DurableCursor(psycopg2.extras.NamedTupleCursor):
    """Rows as named tuples; every transaction waits for its commit to be on the disk, whatever the server's default.

    The setting travels with the transaction's first statement: no round trip of its own, and no session state that
    a pooler would hand to somebody else.
    """

    def execute(self, query: Any, vars: Any = None) -> None:
        begins = not self.connection.autocommit and self.connection.status == extensions.STATUS_READY
        if begins and self.name is None and isinstance(query, str):
            query = f"SET LOCAL synchronous_commit TO on; {query}"
        super().execute(query, vars)  # type: ignore[no-untyped-call]


class DeadlineExceeded(RetryableDatabaseError):
    """The database did not answer in time; the connection is thrown away."""

    code = "DATABASE_TIMEOUT"


def translate(error: BaseException, connection: Connection | None = None) -> DatabaseError:
    """Our error for a driver's error, decided by SQLSTATE and the connection's state, never by class alone."""
    state = getattr(error, "pgcode", None)
    if isinstance(error, ValueError | RecursionError) and not isinstance(error, psycopg2.Error):
        return PoisonRow("the values cannot be written to the database")
    if state is None:
        if (
            connection is None
            or connection.closed
            or isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
        ):
            return RetryableDatabaseError("the database cannot be reached", retry_after=5)
        if isinstance(error, psycopg2.DataError | UnicodeError):
            return PoisonRow("the values cannot be written to the database")
        return RetryableDatabaseError("the database did not answer", retry_after=5)
    if state in _CONFLICTS:
        return TransactionConflict("the database was busy with the same rows", retry_after=1)
    if state in _RETRYABLE or state.startswith(_RETRYABLE_CLASSES):
        return RetryableDatabaseError("the database cannot take this now", retry_after=5)
    if state.startswith(_POISON_CLASSES):
        return PoisonRow("the values cannot be stored")
    return QueryBug("the query does not fit the database")


def is_unwritable(error: ValueError) -> bool:
    """Whether psycopg2 itself refused a text (one that holds NUL), which it says with a bare ValueError."""
    return "NUL" in str(error)


def _gevent_runs() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


@contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Ends the block after `seconds` with DeadlineExceeded, where gevent runs; elsewhere it has no effect.

    Only a greenlet can be taken out of a wait for a frozen server: statement_timeout is the server's own promise.
    """
    if seconds is None or not _gevent_runs():
        yield
        return
    import gevent

    timer = gevent.Timeout(seconds)
    timer.start()
    try:
        yield
    except gevent.Timeout as fired:
        if fired is not timer:
            raise
        raise DeadlineExceeded("the database did not answer in time", retry_after=5) from None
    finally:
        timer.close()


def _resolved(url: str) -> dict[str, Any]:
    """The server's numeric address where gevent runs: libpq's own look-up of a name would block every greenlet."""
    if not _gevent_runs():
        return {}
    given = extensions.parse_dsn(url)
    host = given.get("host", "")
    if not host or host.startswith(("/", "@")) or "," in host or "hostaddr" in given:
        return {}
    found = socket.getaddrinfo(host, given.get("port", "5432"), type=socket.SOCK_STREAM)
    return {"hostaddr": found[0][4][0]}


def connect(url: str, *, timeout: float = 3.0, **options: Any) -> Connection:
    """A new connection in transaction mode. Raises RetryableDatabaseError or DeadlineExceeded."""
    try:
        with deadline(timeout):
            return psycopg2.connect(
                url,
                connect_timeout=max(2, round(timeout)),
                application_name=f"alertbook-{os.getpid()}",
                keepalives_idle=30,
                tcp_user_timeout=10_000,
                cursor_factory=DurableCursor,
                **_resolved(url),
                **options,
            )
    except socket.gaierror:
        raise RetryableDatabaseError("the database's name cannot be resolved", retry_after=5) from None
    except psycopg2.Error as error:
        raise translate(error) from error
