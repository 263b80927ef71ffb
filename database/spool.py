"""A local file for alerts that the database cannot take in time: SQLite, durable before it is answered.

Every process of one machine writes to the same file; one at a time empties it. SQLite blocks, so under gevent
its calls run in a native thread of their own.
"""

import fcntl
import os
import sqlite3
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from database.driver import deadline
from errors import Unavailable

T = TypeVar("T")

EVENTS: Final = "events"
QUARANTINE: Final = "quarantine"
RECEIPTS: Final = "receipts"
#: Characters beyond which no more deliveries are taken together.
TAKEN_AT_ONCE: Final = 4_000_000
_PAGE: Final = 4096
#: The mark of a spool that had no room.
_FULL: Final = "full"
_BUSY_SECONDS: Final = 1.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS waiting (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received_at TEXT NOT NULL, kind TEXT NOT NULL, content TEXT NOT NULL
)
"""


def _cannot(error: Exception | None) -> str:
    return f"the spool cannot be used: {type(error).__name__ if error else 'nothing was written'}"


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


class _Offered:
    """A delivery on its way into the file, and what became of it."""

    __slots__ = ("abandoned", "error", "kept", "row", "share")

    def __init__(self, row: tuple[str, str, str], share: float) -> None:
        self.row = row
        self.share = share
        self.abandoned = False
        self.kept = False
        self.error: Exception | None = None


class Spool:
    """The spool in one folder. `folder` None means that there is none and every `put` is refused."""

    def __init__(self, folder: Path | None, *, max_mb: int, max_age: timedelta) -> None:
        self.folder = folder
        self._max_pages = max_mb * 1024 * 1024 // _PAGE
        self._max_age = max_age
        self._connection: sqlite3.Connection | None = None
        self._offered: deque[_Offered] = deque()
        self._lock = threading.Lock()
        self._native: Any = None

    def put(self, kind: str, received_at: datetime, content: str, *, timeout: float, share: float = 1.0) -> None:
        """Keep one delivery; it is on the disk when this returns. Raises SpoolUnavailable, also where more than
        `share` of the spool is used.

        Deliveries that wait at the same moment share one write to the disk. After a time-out the delivery may still
        have been kept; its event key makes that harmless.
        """
        if self.folder is None:
            raise SpoolUnavailable("there is no spool here", retry_after=5)
        offered = _Offered((received_at.astimezone(UTC).isoformat(), kind, content), share)
        self._offered.append(offered)
        try:
            with deadline(timeout):
                self._run(self._put_offered)
        finally:
            offered.abandoned = True
        if not offered.kept:
            raise SpoolUnavailable(_cannot(offered.error), retry_after=5) from offered.error

    def take(self, limit: int) -> list[Waiting]:
        """The oldest waiting deliveries, in order of receipt, as many as are well moved together; they stay until
        `remove`."""
        return self._run(self._take, limit) if self._exists() else []

    def remove(self, ids: Sequence[int]) -> None:
        """Forget deliveries that are safe elsewhere."""
        self._run(self._remove, ids)

    def depth(self) -> Depth:
        """What waits here now."""
        return self._run(self._depth) if self._exists() else Depth(0, None)

    def full_since(self) -> datetime | None:
        """When a delivery was first refused for want of room, unless that is forgotten already."""
        try:
            return None if self.folder is None else datetime.fromtimestamp((self.folder / _FULL).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def forget_full(self) -> None:
        """People have been told."""
        if self.folder is not None:
            (self.folder / _FULL).unlink(missing_ok=True)

    def _note_full(self, offered: _Offered) -> None:
        """Leave a mark where there was no room for an alert: for whoever finds the database back."""
        full = getattr(offered.error, "sqlite_errorcode", sqlite3.SQLITE_FULL) == sqlite3.SQLITE_FULL
        if self.folder is not None and full and offered.share == 1:
            with suppress(OSError):
                os.close(os.open(self.folder / _FULL, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

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
            raise SpoolUnavailable(_cannot(error), retry_after=5) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        if self.folder is None:
            raise SpoolUnavailable("there is no spool here", retry_after=5)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.folder / "spool.sqlite"
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, connection.close)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"max_page_count={self._max_pages}"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(_SCHEMA)
        self._connection = connection
        return connection

    def _put_offered(self) -> None:
        """Write whatever is offered at this moment; the next caller finds its own written already."""
        group = [self._offered.popleft() for _ in range(len(self._offered))]
        group = [offered for offered in group if not offered.abandoned]
        try:
            self._put(group)
        except (sqlite3.Error, OSError) as error:
            for offered in group:
                offered.error = error
            if len(group) > 1:
                self._put_singly(group)
            elif group:
                self._note_full(group[0])

    def _put_singly(self, group: Sequence[_Offered]) -> None:
        """What is too large for the rest of a nearly full spool does not fail its neighbours."""
        for offered in group:
            try:
                self._put([offered])
            except (sqlite3.Error, OSError) as error:
                offered.error = error
                self._note_full(offered)

    def _put(self, group: Sequence[_Offered]) -> None:
        if not group:
            return
        with self._transaction() as connection:
            (oldest,) = connection.execute("SELECT min(received_at) FROM waiting").fetchone()
            if oldest is not None and datetime.fromisoformat(oldest) < datetime.now(UTC) - self._max_age:
                raise OSError("what is in the spool has waited too long")
            if (share := min(offered.share for offered in group)) < 1 and self._used(connection) > share:
                raise OSError("what is left of the spool is for alerts")
            rows = [offered.row for offered in group]
            connection.executemany("INSERT INTO waiting (received_at, kind, content) VALUES (?, ?, ?)", rows)
        for offered in group:
            offered.kept = True

    def _used(self, connection: sqlite3.Connection) -> float:
        (pages,), (free,) = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count")
        )
        return float((pages - free) / self._max_pages)

    def _take(self, limit: int) -> list[Waiting]:
        query = "SELECT id, kind, content FROM waiting ORDER BY received_at, id LIMIT ?"
        taken, length = list[Waiting](), 0
        for row in self._open().execute(query, (limit,)):
            taken.append(Waiting(*row))
            length += len(taken[-1].content)
            if length > TAKEN_AT_ONCE:
                break
        return taken

    def _remove(self, ids: Sequence[int]) -> None:
        with self._transaction() as connection:
            connection.executemany("DELETE FROM waiting WHERE id = ?", [(row_id,) for row_id in ids])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError):
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _depth(self) -> Depth:
        count, oldest = self._open().execute("SELECT count(*), min(received_at) FROM waiting").fetchone()
        return Depth(count, datetime.fromisoformat(oldest) if oldest else None)
