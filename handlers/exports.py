"""Everything that is stored, to take away: CSV for spreadsheets, NDJSON for programs and for another Alertbook."""

import csv
import io
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from datetime import time as clock_time
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any, Final

from flask import Response, stream_with_context

from database import feed, signals
from handlers.aside import aside
from handlers.blueprint import Blueprint
from handlers.feed import EventFilters
from handlers.middleware.access import Role, access
from handlers.services import services
from handlers.trades import event_as_dict
from state import jsontext
from state.event import SignalEvent
from state.position import derive
from state.vocabulary import POSITION

blueprint = Blueprint("exports", __name__, description="Everything that is stored, to take away.")

#: Signs with which a spreadsheet would begin a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
#: Lines after which other requests of this process have their turn.
TURN: Final = 50
COLUMNS: Final = (
    "event_id", "trade_id", "derived_trade_ids", "event_type", "event_timestamp", "event_time_source", "received_at",
    "signal_date", "signal_time", "session", "payload_version", "schema_version", "direction", "bias", "symbol",
    "exchange", "timeframe", "strategy_id", "strategy_name", "entry_price", "stop_loss", "risk_distance",
    "current_price", "exit_price", "exit_reason", "mfe", "be_mfe", "no_be_mfe", "mae", "final_mfe", "position_size",
    "account_size", "risk_percent", "risk_amount", "targets", "position", "warnings", "event_key", "body_column",
    "body",
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


def _lines(filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pool = services().pool
    derived: dict[str, dict[str, list[str]]] = {}
    for page in feed.walk(pool, filters=filters):
        for number, event in enumerate(page):
            if number % TURN == 0:
                time.sleep(0)
            line = exported(event)
            if event.event_type == POSITION:
                if event.trade_id not in derived:
                    events = signals.select_events_for_trade(pool, event.trade_id)
                    derived[event.trade_id] = aside(partial(_derived, events))
                line["derived_trade_ids"] = derived[event.trade_id].get(event.event_key, [])
            yield line


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


def _csv(lines: Iterable[dict[str, Any]]) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for number, line in enumerate(lines, 1):
        writer.writerow(
            [
                cell(" ".join(line.get(name, ())) if name == "derived_trade_ids" else cell_value(line, name))
                for name in COLUMNS
            ]
        )
        if number % 200 == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def cell_value(line: dict[str, Any], name: str) -> Any:
    """A line's value for a column; an empty list of warnings is nothing."""
    return line.get(name) or None if name == "warnings" else line.get(name)


def _ndjson(lines: Iterable[dict[str, Any]]) -> Iterator[str]:
    pending: list[str] = []
    for line in lines:
        pending.append(jsontext.dump(line) + "\n")
        if len(pending) == 200:
            yield "".join(pending)
            pending = []
    yield "".join(pending)


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
    return _streamed(_csv(_lines(query)), "text/csv", "csv")


@blueprint.get("/api/automated-signals/export.ndjson")
@access(Role.READ)
@blueprint.arguments(EventFilters, location="query")
def export_ndjson(query: dict[str, Any]) -> Response:
    """Every event that passes the filters, one JSON object a line, in the order of the feed; /import takes them."""
    return _streamed(_ndjson(_lines(query)), "application/x-ndjson", "ndjson")
