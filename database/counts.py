"""How many rows the tables have, exactly, without reading tens of millions of them each time.

A count up to an id stays right once every insert with a lower id has ended, and only what came after is counted:
`row_count` keeps the count and its id. What we delete ourselves is taken off it in the same transaction. What somebody
else deletes, or a rewritten table (TRUNCATE, VACUUM FULL), shows in PostgreSQL's own statistics, a few seconds later at
most, and the count begins anew.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from errors import AlertbookError, DatabaseError, RetryableDatabaseError, TransactionConflict, Unavailable

log = structlog.get_logger()

LARGE: Final = ("telemetry_events", "capital_intake", "research_docs")
SMALL: Final = ("research_sources", "builder_tasks", "playbooks")
#: Counting this many rows anew costs a few milliseconds: not worth a new mark.
TAIL: Final = 20_000
FRESH_SECONDS: Final = 2.0
#: For a table that is counted from its first row, which happens once.
COUNT_SECONDS: Final = 60.0
_LOWEST: Final = -(2**63)
_HIGHEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by table; None with a note where a table could not be counted."""

    rows: dict[str, int | None]
    notes: dict[str, str]


class Counter:
    """Counts for one process: asked often, it counts at most every FRESH_SECONDS, one caller for all."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._known: Counts | None = None
        self._since = 0.0

    def warm(self) -> None:
        """Count in a light thread, so that a table that has never been counted keeps no request waiting."""
        threading.Thread(target=self.counts, name="counter", daemon=True).start()

    def counts(self) -> Counts:
        """All counts, as they were at most FRESH_SECONDS (and the time it takes to count) ago."""
        with self._lock:
            now = time.monotonic()
            if self._known is None or now - self._since > FRESH_SECONDS:
                self._known = self._count()
                self._since = now
            return self._known

    def _count(self) -> Counts:
        rows: dict[str, int | None] = {}
        notes: dict[str, str] = {}
        for table in LARGE + SMALL:
            try:
                rows[table] = count_large(self._pool, table) if table in LARGE else _count_small(self._pool, table)
            except (RetryableDatabaseError, Unavailable) as error:
                # the database itself is away: asking for the other tables would only wait again
                away = [name for name in LARGE + SMALL if name not in rows]
                rows.update(dict.fromkeys(away))
                notes.update(dict.fromkeys(away, _note(error)))
                break
            except DatabaseError as error:
                rows[table] = None
                notes[table] = _note(error)
        return Counts(rows, notes)


def _note(error: AlertbookError) -> str:
    return f"could not be counted ({error.code})"


def _count_small(pool: Pool, table: str) -> int:
    with pool.transaction() as connection:
        found: int = getattr(QUERIES.counts, f"count_{table}")(connection)
        return found


def count_large(pool: Pool, table: str) -> int:
    """The rows of a large table, exactly."""
    with pool.transaction() as connection:
        known, upto = _mark(connection, table)
        recent: int = getattr(QUERIES.counts, f"probe_{table}")(connection, after=upto, most=TAIL + 1)
    if recent <= TAIL:
        return known + recent
    boundary = _boundary(pool, table)
    with pool.transaction(timeout=COUNT_SECONDS) as connection:
        known, upto = _mark(connection, table) if boundary is None else _move_mark(connection, table, boundary)
        return int(known + getattr(QUERIES.counts, f"count_{table}")(connection, after=upto, upto=_HIGHEST))


def _mark(connection: Connection, table: str) -> tuple[int, int]:
    """How many rows there are up to an id; (0, the lowest) where that has to be counted anew."""
    mark = QUERIES.counts.select_mark(connection, table_name=table)
    return (mark.counted, mark.upto_id) if mark else (0, _LOWEST)


def _boundary(pool: Pool, table: str) -> Any:
    """The highest id at a moment at which nothing is being inserted; None while there is no such moment."""
    try:
        with pool.transaction() as connection:
            list(QUERIES.counts.set_lock_patience(connection))
            getattr(QUERIES.counts, f"lock_{table}")(connection)
            return getattr(QUERIES.counts, f"select_{table}_boundary")(connection)
    except TransactionConflict:
        log.info("count_not_marked", table=table, reason="the table is being written")
        return None


def _move_mark(connection: Connection, table: str, boundary: Any) -> tuple[int, int]:
    """Count from the mark up to the boundary and put the mark there, while nobody of ours deletes."""
    QUERIES.counts.insert_mark(connection, table_name=table)
    QUERIES.counts.lock_mark(connection, table_name=table)
    known, upto = _mark(connection, table)
    if upto < boundary.upto_id:
        known += getattr(QUERIES.counts, f"count_{table}")(connection, after=upto, upto=boundary.upto_id)
        upto = boundary.upto_id
        QUERIES.counts.save_mark(
            connection,
            table_name=table,
            upto_id=upto,
            counted=known,
            filenode=boundary.filenode,
            deleted=boundary.deleted,
        )
    return known, upto


def delete_noted(connection: Connection, table: str, delete: Callable[..., Any]) -> int:
    """Delete rows of a large table and take them off its count in the same transaction; returns how many.

    `delete` is a query that takes `upto_id` and answers `gone`, and `below`: how many of these had no higher id.
    """
    QUERIES.counts.lock_mark(connection, table_name=table)
    mark = QUERIES.counts.select_mark(connection, table_name=table)
    done = delete(connection, upto_id=mark.upto_id if mark else _LOWEST)
    if mark and done.gone:
        QUERIES.counts.note_deletion(connection, table_name=table, gone=done.gone, below=done.below)
    return int(done.gone)
