"""Reading from a streaming replica: how far behind it is is known, and the primary steps in for it."""

import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, TypeVar

import structlog

from database import driver
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from errors import DatabaseError, Unavailable

T = TypeVar("T")
log = structlog.get_logger()

#: How often, at most, the primary is asked how far it has written.
MARK_SECONDS: Final = 0.25
#: What a replica may take to say how far it is.
ASK_SECONDS: Final = 1.0
#: How long a replica that failed is left alone.
REST_SECONDS: Final = 5.0

_behind: ContextVar[float | None] = ContextVar("behind", default=None)


def begin() -> None:
    """A request begins: nothing of it has been read from a replica."""
    _behind.set(None)


def behind() -> float | None:
    """Everything committed until so many seconds before it was read is in what this request has read; None when all
    of it came from the primary."""
    return _behind.get()


class PoolWithReplica(Pool):
    """A pool of the primary that lets a replica answer what only reads, while it is at most `max_lag` s behind.

    Every now and then the time is noted together with how far the primary had written by then. The newest such mark
    that the replica has replayed says how old at most its answers are: no clock of another machine is asked, and a
    replica that has lost its primary does not seem current.
    """

    def __init__(self, url: str, size: int, *, replica_url: str, max_lag: float) -> None:
        super().__init__(url, size)
        self._replica = Pool(replica_url, size)
        self._max_lag = max_lag
        self._marks: deque[tuple[float, int]] = deque()
        self._rest_until = 0.0

    def read(self, work: Callable[[Connection], T], *, timeout: float = 5.0) -> T:
        """As the pool's, on the replica where it may answer, else on the primary."""
        if time.monotonic() >= self._rest_until:
            self._mark()
            try:
                with self._replica.transaction(timeout=timeout) as connection:
                    lag = self._lag(connection)
                    if lag is not None and lag <= self._max_lag:
                        found = work(connection)
                        _behind.set(max(lag, _behind.get() or 0.0))
                        return found
            except (DatabaseError, Unavailable) as error:
                log.warning("replica_fails", code=error.code)
                self._rest_until = time.monotonic() + REST_SECONDS
        return super().read(work, timeout=timeout)

    def _mark(self) -> None:
        now = time.monotonic()
        if self._marks and now - self._marks[-1][0] < MARK_SECONDS:
            return
        with self.transaction(timeout=ASK_SECONDS) as connection:
            self._marks.append((now, QUERIES.replica.select_written(connection)))
        while now - self._marks[0][0] > self._max_lag:
            self._marks.popleft()

    def _lag(self, connection: Connection) -> float | None:
        """At most how many seconds the replica is behind; None when that is more than it may be, or it is none."""
        with driver.deadline(ASK_SECONDS):
            replayed: int | None = QUERIES.replica.select_replayed(connection)
        if replayed is None:
            return None
        seen = [at for at, written in self._marks if written <= replayed]
        return time.monotonic() - max(seen) if seen else None

    def close(self) -> None:
        """Close the idle connections of both."""
        super().close()
        self._replica.close()
