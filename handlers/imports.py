"""Importing alerts: hundreds of thousands of lines in one request, each judged by itself."""

import time
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
    """One import under way: counts so far, and the events that wait to be stored, with their lines."""

    pool: Pool
    stored: int = 0
    duplicates: int = 0
    done: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[tuple[int, SignalEvent]] = field(default_factory=list)

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
        """Store what waits, in one transaction; a row that cannot be stored does not fail its neighbours."""
        try:
            self._store(self.waiting)
        except PoisonRow:
            for one in self.waiting:
                try:
                    self._store([one])
                except PoisonRow as error:
                    self.refuse(one[0], error)
        self.waiting = []
        self.done = up_to

    def _store(self, waiting: list[tuple[int, SignalEvent]]) -> None:
        if not waiting:
            return
        with self.pool.transaction(timeout=60) as connection:
            new = signals.insert_known_events(connection, [event for _, event in waiting])
        self.stored += new
        self.duplicates += len(waiting) - new


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
    run = _Run(services().pool, done=query["from_line"] - 1)
    started = datetime.now(UTC)
    zone = services().settings.naive_timestamp_zone
    number = 0
    try:
        for number, line in enumerate(lines(request.stream), 1):
            if number < query["from_line"] or (line is not None and not line.strip()):
                continue
            if number % TURN == 0:
                time.sleep(0)
            _read(run, number, line, payloads.Context(started + number * _MICROSECOND, zone))
            if len(run.waiting) >= AT_ONCE:
                run.store(number)
        run.store(number)
    except PoisonRow:
        raise
    except (DatabaseError, Unavailable) as error:
        detail = Detail("next_line", "GO_ON_FROM", str(run.done + 1))
        message = f"The import stopped: {error.message}. Everything before line {run.done + 1} is done."
        raise Unavailable(message, code=error.code, details=[detail], retry_after=error.retry_after) from error
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


def _read(run: _Run, number: int, line: bytes | None, context: payloads.Context) -> None:
    try:
        if line is None:
            raise TooLarge(f"The line has more than {LINE_LIMIT} bytes.")
        reading = read_line(line, context)
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
