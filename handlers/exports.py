"""Everything that is stored, to take away: CSV for spreadsheets, NDJSON for programs and for another Alertbook."""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from datetime import time as clock_time
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any, Final

from flask import Response, stream_with_context

from database import exports, signals
from database.exports import COLUMNS, Line
from database.pool import Pool
from handlers.aside import aside
from handlers.blueprint import Blueprint
from handlers.feed import EventFilters
from handlers.middleware.access import Role, access
from handlers.services import services
from state import jsontext
from state.event import SignalEvent
from state.position import derive
from state.shown import event_as_dict
from state.vocabulary import POSITION

blueprint = Blueprint("exports", __name__, description="Everything that is stored, to take away.")

#: Signs with which a spreadsheet would begin a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SPECIAL: Final = re.compile(r'[",\r\n]')
#: Lines after which other requests of this process have their turn.
TURN: Final = 50
_DERIVED: Final = COLUMNS.index("derived_trade_ids")
#: The columns that hold somebody's text.
_TEXTS: Final = tuple(
    COLUMNS.index(name)
    for name in (
        "trade_id", "event_type", "event_time_source", "session", "payload_version", "schema_version", "direction",
        "bias", "symbol", "exchange", "timeframe", "strategy_id", "strategy_name", "exit_reason", "event_key",
    )
)  # fmt: skip


def exported(event: SignalEvent) -> dict[str, Any]:
    """An event as a line of an export: all that is needed to store it again just as it is."""
    return {
        **event_as_dict(event),
        "account_size": event.account_size,
        "risk_percent": event.risk_percent,
        "risk_amount": event.risk_amount,
        "event_key": event.event_key,
        "body_column": "telemetry" if event.telemetry is not None else "legacy_payload",
    }


class _Streams:
    """The trades that position alerts belong to, each stream folded once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._derived: dict[str, dict[str, list[str]]] = {}

    def trades_of(self, line: Line[Any]) -> list[str]:
        """The ids of the trades derived from one alert."""
        if line.trade_id not in self._derived:
            events = signals.select_events_for_trade(self._pool, line.trade_id)
            self._derived[line.trade_id] = aside(partial(_derived, events))
        return self._derived[line.trade_id].get(line.event_key, [])


def _derived(events: Iterable[SignalEvent]) -> dict[str, list[str]]:
    """The trades that each alert of a stream belongs to, by event key: two for one that reverses."""
    found: dict[str, list[str]] = {}
    for trade in derive(events)[0]:
        for event in trade.events:
            found.setdefault(event.event_key, []).append(trade.trade_id)
    return found


def cell(value: Any) -> str:
    """A value as a CSV cell: numbers plain, text that a spreadsheet would take for a formula behind an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return jsontext.plain(value)
    if isinstance(value, datetime | date | clock_time):
        return value.isoformat()
    text = value if isinstance(value, str | int) else jsontext.dump(value)
    shown = str(text)
    return f"'{shown}" if isinstance(text, str) and shown.startswith(_FORMULA) else shown


def _guarded(cells: list[str | None]) -> list[str | None]:
    """The cells that the database made, its texts as `cell` would write them."""
    for place in _TEXTS:
        text = cells[place]
        if text is not None and text.startswith(_FORMULA):
            cells[place] = f"'{text}"
    return cells


def _older_cells(event: SignalEvent) -> list[str | None]:
    line = exported(event)
    return [cell(line.get(name) or None if name == "warnings" else line.get(name)) for name in COLUMNS]


def _row(cells: Sequence[str | None]) -> str:
    """A line of CSV (RFC 4180). The csv module looks at each sign of a body by itself."""
    return ",".join([_quoted(one) if one is not None and _SPECIAL.search(one) else one or "" for one in cells]) + "\r\n"


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _csv(pool: Pool, filters: dict[str, Any]) -> Iterator[str]:
    streams = _Streams(pool)
    rows = [_row(COLUMNS)]
    for page in exports.cells(pool, filters=filters, written=_older_cells):
        for number, line in enumerate(page):
            if number % TURN == 0:
                time.sleep(0)
            row = _guarded(line.written)
            if line.event_type == POSITION:
                row[_DERIVED] = cell(" ".join(streams.trades_of(line)))
            rows.append(_row(row))
        yield "".join(rows)
        rows = []


def _ndjson(pool: Pool, filters: dict[str, Any]) -> Iterator[str]:
    streams = _Streams(pool)
    for page in exports.texts(pool, filters=filters, written=lambda event: jsontext.dump(exported(event))):
        lines = []
        for line in page:
            text = line.written
            if line.event_type == POSITION:
                text = f'{text[:-1]},"derived_trade_ids":{jsontext.dump(streams.trades_of(line))}}}'
            lines.append(f"{text}\n")
        yield "".join(lines)
        time.sleep(0)


def _streamed(pieces: Iterator[str], mimetype: str, name: str) -> Response:
    # the first piece is made before the answer begins, so that a database that is away is still a 503
    first = next(pieces, "")
    today = datetime.now(UTC).date()
    return Response(
        stream_with_context(chain([first], pieces)),
        mimetype=mimetype,
        headers={
            "Content-Disposition": f'attachment; filename="alertbook-events-{today}.{name}"',
            "Cache-Control": "no-store",
        },
    )


@blueprint.get("/api/automated-signals/export.csv")
@access(Role.READ)
@blueprint.arguments(EventFilters, location="query")
def export_csv(query: dict[str, Any]) -> Response:
    """Every event that passes the filters as CSV, one a line, in the order of the feed.

    Text that a spreadsheet would take for a formula (it starts with = + - @) stands behind an apostrophe; numbers are
    left alone.
    """
    return _streamed(_csv(services().pool, query), "text/csv", "csv")


@blueprint.get("/api/automated-signals/export.ndjson")
@access(Role.READ)
@blueprint.arguments(EventFilters, location="query")
def export_ndjson(query: dict[str, Any]) -> Response:
    """Every event that passes the filters, one JSON object a line, in the order of the feed; /import takes them."""
    return _streamed(_ndjson(services().pool, query), "application/x-ndjson", "ndjson")
