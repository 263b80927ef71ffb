"""Importing alerts: hundreds of thousands of lines in one request, each judged by itself."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import marshmallow as ma
from flask import Response

from database import signals
from database.pool import Pool
from errors import AlertbookError, DatabaseError, Detail, NotJson, PoisonRow, TimedOut, Unavailable
from handlers.blueprint import Blueprint
from handlers.exchange import lines
from handlers.import_reading import Group, Lines, Reading, refusal
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.middleware.bodies import Arriving
from handlers.services import services

blueprint = Blueprint("imports", __name__, description="Alerts by the hundred thousand.")

AT_ONCE: Final = 500
#: A group is as many lines or, of long ones, as many bytes: several are in memory at a time.
BYTES_AT_ONCE: Final = 4_000_000
#: An export that is piped in may pause, but whoever is gone must not hold the processes that read for it.
IDLE_SECONDS: Final = 60.0


@dataclass(slots=True)
class _Run:
    """One import under way: counts so far, and the group that is being stored while those after it are read."""

    pool: Pool
    writer: ThreadPoolExecutor
    lines: int = 0
    stored: int = 0
    duplicates: int = 0
    done: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    under_way: tuple[Future[None], Group] | None = None

    def store(self, group: Group) -> None:
        """Store a group, behind whatever follows; the one before it is done then."""
        self.settle()
        self.refused += group.refused
        self.under_way = self.writer.submit(self._store, group.rows), group

    def settle(self) -> None:
        """Wait for what is being stored. Raises what became of it."""
        if self.under_way is not None:
            (future, group), self.under_way = self.under_way, None
            future.result()
            self.duplicates += group.repeats
            self.done = group.up_to

    def _store(self, rows: list[tuple[int, str]]) -> None:
        """Store rows in one transaction; one that cannot be stored does not fail its neighbours."""
        try:
            self._store_at_once([row for _, row in rows])
        except PoisonRow as error:
            if len(rows) == 1:
                self.refused.append(refusal(rows[0][0], error))
                return
            for one in rows:
                self._store([one])

    def _store_at_once(self, rows: list[str]) -> None:
        if not rows:
            return
        with self.pool.transaction(timeout=60) as connection:
            new = signals.insert_known_rows(connection, rows)
        self.stored += new
        self.duplicates += len(rows) - new


class ImportQuery(ma.Schema):
    """Where to begin."""

    from_line = ma.fields.Integer(load_default=1, validate=ma.validate.Range(1, 2**40))


@blueprint.post("/api/automated-signals/import")
@access(Role.ADMIN)
@blueprint.arguments(ImportQuery, location="query")
def import_alerts(query: dict[str, Any]) -> Response:
    """Store NDJSON: a webhook body, or a line of an export, a line. Every refused line is answered with its number.

    Repeatable: what is stored already counts as a duplicate, an alert without a time of its own too (its time is that
    of its first import). Resumable: a run that ends early answers 503 with the line to go on from (`next_line` in
    `details`), which `from_line` takes; sending everything again does no harm either. A body that ends before its
    announced end (400), or of which nothing comes for a minute (408), ends a run in the same way; a line that was cut
    off is not stored.
    """
    with ThreadPoolExecutor(1) as writer, Reading() as reading:
        run = _Run(services().pool, writer, done=query["from_line"] - 1)
        try:
            for group in _groups(run, query["from_line"]):
                for read in reading.take(group):
                    run.store(read)
            for read in reading.rest():
                run.store(read)
            run.settle()
        except PoisonRow:
            raise
        except (DatabaseError, Unavailable, NotJson, TimedOut) as error:
            raise _stopped(run, error) from error
    run.refused.sort(key=lambda refused: refused["line"])
    return answer(
        {
            "success": True,
            "lines": run.lines,
            "stored": run.stored,
            "duplicates": run.duplicates,
            "refused_count": len(run.refused),
            "refused": run.refused,
            "next_line": run.lines + 1,
        }
    )


def _stopped(run: _Run, error: AlertbookError) -> AlertbookError:
    """What is answered where a run ended early: where to go on."""
    detail = Detail("next_line", "GO_ON_FROM", str(run.done + 1))
    message = f"The import stopped: {error.message.rstrip('.')}. Everything before line {run.done + 1} is done."
    kind = type(error) if isinstance(error, NotJson | TimedOut) else Unavailable
    return kind(message, code=error.code, details=[detail], retry_after=error.retry_after)


def _groups(run: _Run, from_line: int) -> Iterator[Lines]:
    """The request's lines from that one on, in groups. Raises NotJson or TimedOut where they do not all arrive."""
    settings, started = services().settings, datetime.now(UTC)
    waiting: list[tuple[int, bytes | None]] = []
    size = 0
    for run.lines, line in enumerate(lines(Arriving(IDLE_SECONDS)), 1):
        if run.lines >= from_line and (line is None or line.strip()):
            waiting.append((run.lines, line))
            size += len(line or b"")
        if len(waiting) >= AT_ONCE or size >= BYTES_AT_ONCE:
            yield Lines(waiting, started, settings.naive_timestamp_zone, settings.webhook_secrets)
            waiting, size = [], 0
    if waiting:
        yield Lines(waiting, started, settings.naive_timestamp_zone, settings.webhook_secrets)
