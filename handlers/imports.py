"""Importing alerts: hundreds of thousands of lines in one request, each judged by itself."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import marshmallow as ma
from flask import Response, request

from database import signals
from database.pool import Pool
from errors import AlertbookError, DatabaseError, Detail, PoisonRow, TooLarge, Unavailable
from handlers import payloads
from handlers.blueprint import Blueprint
from handlers.exchange import LINE_LIMIT, lines, read_line
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.payloads import Refused
from handlers.services import services
from state.event import SignalEvent

blueprint = Blueprint("imports", __name__, description="Alerts by the hundred thousand.")

AT_ONCE: Final = 500
#: Lines after which other requests of this process have their turn.
TURN: Final = 25
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class _Run:
    """One import under way: counts so far, the events that wait to be stored, with their lines, and the group that is
    being stored meanwhile."""

    pool: Pool
    writer: ThreadPoolExecutor
    stored: int = 0
    duplicates: int = 0
    done: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[tuple[int, SignalEvent]] = field(default_factory=list)
    #: the group's outcome, and the line up to which everything is done then
    under_way: tuple[Future[list[tuple[int, PoisonRow]]], int] | None = None

    def refuse(self, number: int, error: AlertbookError, index: int | None = None) -> None:
        self.refused.append(
            {
                "line": number,
                **({} if index is None else {"index": index}),
                "code": error.code,
                "error": error.message,
                "details": [detail.as_dict() for detail in error.details],
            }
        )

    def store(self, up_to: int) -> None:
        """Store what waits, behind the reading of the lines that follow; what was being stored before is done then."""
        self.settle()
        group, self.waiting = self.waiting, []
        self.under_way = self.writer.submit(self._store, group), up_to

    def settle(self) -> None:
        """Wait for what is being stored. Raises what became of it."""
        if self.under_way is not None:
            (future, up_to), self.under_way = self.under_way, None
            for number, error in future.result():
                self.refuse(number, error)
            self.done = up_to

    def _store(self, group: list[tuple[int, SignalEvent]]) -> list[tuple[int, PoisonRow]]:
        """Store a group in one transaction; a row that cannot be stored does not fail its neighbours."""
        try:
            self._store_at_once(group)
        except PoisonRow as error:
            if len(group) == 1:
                return [(group[0][0], error)]
            return [refused for one in group for refused in self._store([one])]
        return []

    def _store_at_once(self, group: list[tuple[int, SignalEvent]]) -> None:
        if not group:
            return
        with self.pool.transaction(timeout=60) as connection:
            new = signals.insert_known_events(connection, [event for _, event in group])
        self.stored += new
        self.duplicates += len(group) - new


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
    `details`), which `from_line` takes; sending everything again does no harm either.
    """
    with ThreadPoolExecutor(1) as writer:
        run = _Run(services().pool, writer, done=query["from_line"] - 1)
        try:
            number = _read_all(run, query["from_line"])
        except PoisonRow:
            raise
        except (DatabaseError, Unavailable) as error:
            detail = Detail("next_line", "GO_ON_FROM", str(run.done + 1))
            message = f"The import stopped: {error.message}. Everything before line {run.done + 1} is done."
            raise Unavailable(message, code=error.code, details=[detail], retry_after=error.retry_after) from error
    run.refused.sort(key=lambda refused: refused["line"])
    return answer(
        {
            "success": True,
            "lines": number,
            "stored": run.stored,
            "duplicates": run.duplicates,
            "refused_count": len(run.refused),
            "refused": run.refused,
            "next_line": number + 1,
        }
    )


def _read_all(run: _Run, from_line: int) -> int:
    """Read and store every line of the request from that one on; returns how many there are."""
    zone, secrets = services().settings.naive_timestamp_zone, services().settings.webhook_secrets
    started, number = datetime.now(UTC), 0
    for number, line in enumerate(lines(request.stream), 1):
        if number < from_line or (line is not None and not line.strip()):
            continue
        if number % TURN == 0:
            time.sleep(0)
        _read(run, number, line, payloads.Context(started + number * _MICROSECOND, zone), secrets)
        if len(run.waiting) >= AT_ONCE:
            run.store(number)
    run.store(number)
    run.settle()
    return number


def _read(run: _Run, number: int, line: bytes | None, context: payloads.Context, secrets: tuple[str, ...]) -> None:
    try:
        if line is None:
            raise TooLarge(f"The line has more than {LINE_LIMIT} bytes.")
        reading = read_line(line, context, secrets)
    except DatabaseError:
        raise
    except AlertbookError as error:
        run.refuse(number, error)
        return
    for index, outcome in enumerate(reading.outcomes):
        if isinstance(outcome, Refused):
            run.refuse(number, outcome.error, index)
        else:
            run.waiting.append((number, outcome))
