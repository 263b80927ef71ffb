"""How many rows the tables have, exactly, without reading tens of millions of them each time.

Rows of the large tables are only ever added. So a count up to an id stays right once every insert with a lower id has
ended, and only what came after is counted: `row_count` keeps the count and its id. Deleting rows or rewriting the
table (TRUNCATE, VACUUM FULL) shows in PostgreSQL's own statistics, and the count begins anew.
"""

import threading
import time
from dataclasses import dataclass
from typing import Final

import structlog

from database.pool import Pool
from database.queries import QUERIES
from errors import AlertbookError, DatabaseError, RetryableDatabaseError, TransactionConflict, Unavailable

log = structlog.get_logger()

LARGE: Final = ("telemetry_events", "capital_intake", "research_docs")
SMALL: Final = ("research_sources", "builder_tasks", "playbooks")
#: Counting this many rows anew costs a few milliseconds: not worth a new mark.
TAIL: Final = 20_000
FRESH_SECONDS: Final = 2.0
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
    count = getattr(QUERIES.counts, f"count_{table}")
    with pool.transaction(timeout=60) as connection:
        mark = QUERIES.counts.select_mark(connection, table_name=table)
        known, upto = (mark.counted, mark.upto_id) if mark else (0, _LOWEST)
        tail: int = count(connection, after=upto, upto=_HIGHEST)
    if tail > TAIL:
        _move_mark(pool, table, known, upto)
    return int(known) + tail


def _move_mark(pool: Pool, table: str, known: int, upto: int) -> None:
    """Remember the count up to the highest id of a moment at which nothing was being inserted."""
    try:
        with pool.transaction() as connection:
            list(QUERIES.counts.set_lock_patience(connection))
            getattr(QUERIES.counts, f"lock_{table}")(connection)
            boundary = getattr(QUERIES.counts, f"select_{table}_boundary")(connection)
        with pool.transaction(timeout=60) as connection:
            more = getattr(QUERIES.counts, f"count_{table}")(connection, after=upto, upto=boundary.upto_id)
            QUERIES.counts.save_mark(
                connection,
                table_name=table,
                upto_id=boundary.upto_id,
                counted=known + more,
                filenode=boundary.filenode,
                deleted=boundary.deleted,
            )
    except TransactionConflict:
        log.info("count_not_marked", table=table, reason="the table is being written")
