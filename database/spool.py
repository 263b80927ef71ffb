"""A local file for alerts that the database cannot take in time: SQLite, durable before it is answered.

Every process of one machine writes to the same file; one at a time empties it. SQLite blocks, so under gevent
its calls run in a native thread of their own.
"""

import fcntl
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from database.driver import deadline
from errors import Unavailable

T = TypeVar("T")

EVENTS: Final = "events"
QUARANTINE: Final = "quarantine"
_PAGE: Final = 4096
_BUSY_SECONDS: Final = 1.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS waiting (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received_at TEXT NOT NULL, kind TEXT NOT NULL, content TEXT NOT NULL
)
"""


class SpoolUnavailable(Unavailable):
    """The spool is off, full, too old or unwritable: nothing was stored."""

    code = "SPOOL_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One spooled delivery: `content` is JSON text."""

    id: int
    kind: str
    content: str


@dataclass(frozen=True, slots=True)
class Depth:
    """How many deliveries wait, and since when."""

    count: int
    oldest: datetime | None


class Spool:
    """The spool in one folder. `folder` None means that there is none and every `put` is refused."""

    def __init__(self, folder: Path | None, *, max_mb: int, max_age: timedelta) -> None:
        self.folder = folder
        self._max_pages = max_mb * 1024 * 1024 // _PAGE
        self._max_age = max_age
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._native: Any = None

    def put(self, kind: str, received_at: datetime, content: str, *, timeout: float) -> None:
        """Keep one delivery; it is on the disk when this returns. Raises SpoolUnavailable.

        After a time-out the delivery may still have been kept; its event key makes that harmless.
        """
        with deadline(timeout):
            self._run(self._put, kind, received_at, content)

    def take(self, limit: int) -> list[Waiting]:
        """The oldest waiting deliveries, in order of receipt; they stay until `remove`."""
        return self._run(self._take, limit) if self._exists() else []

    def remove(self, ids: Sequence[int]) -> None:
        """Forget deliveries that are safe elsewhere."""
        self._run(self._remove, ids)

    def depth(self) -> Depth:
        """What waits here now."""
        return self._run(self._depth) if self._exists() else Depth(0, None)

    @contextmanager
    def draining(self) -> Iterator[bool]:
        """Whether this process may empty the spool now; no other may until the block ends, however it ends."""
        if not self._exists():
            yield False
            return
        assert self.folder is not None
        handle = os.open(self.folder / "draining.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(handle)

    def _exists(self) -> bool:
        return self.folder is not None and (self.folder / "spool.sqlite").exists()

    def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run blocking work off the event loop where there is one. Raises SpoolUnavailable."""
        monkey = sys.modules.get("gevent.monkey")
        try:
            if monkey is not None and monkey.is_module_patched("socket"):
                if self._native is None:
                    from gevent.threadpool import ThreadPool

                    self._native = ThreadPool(1)
                result: T = self._native.apply(work, arguments)
                return result
            with self._lock:
                return work(*arguments)
        except (sqlite3.Error, OSError) as error:
            raise SpoolUnavailable(f"the spool cannot be used: {type(error).__name__}", retry_after=5) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        if self.folder is None:
            raise SpoolUnavailable("there is no spool here", retry_after=5)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.folder / "spool.sqlite"
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"max_page_count={self._max_pages}"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(_SCHEMA)
        self._connection = connection
        return connection

    def _put(self, kind: str, received_at: datetime, content: str) -> None:
        connection = self._open()
        (oldest,) = connection.execute("SELECT min(received_at) FROM waiting").fetchone()
        if oldest is not None and datetime.fromisoformat(oldest) < datetime.now(UTC) - self._max_age:
            raise SpoolUnavailable("the spool has waited too long for its database", retry_after=5)
        connection.execute(
            "INSERT INTO waiting (received_at, kind, content) VALUES (?, ?, ?)",
            (received_at.astimezone(UTC).isoformat(), kind, content),
        )

    def _take(self, limit: int) -> list[Waiting]:
        query = "SELECT id, kind, content FROM waiting ORDER BY received_at, id LIMIT ?"
        return [Waiting(*row) for row in self._open().execute(query, (limit,))]

    def _remove(self, ids: Sequence[int]) -> None:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany("DELETE FROM waiting WHERE id = ?", [(row_id,) for row_id in ids])
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _depth(self) -> Depth:
        count, oldest = self._open().execute("SELECT count(*), min(received_at) FROM waiting").fetchone()
        return Depth(count, datetime.fromisoformat(oldest) if oldest else None)
