"""Pages of an export. The database makes the text of events, so that no body is parsed on its way out.

Rows of an older system can hold what text cannot say again (NaN, another's date), and are read as events.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from database import feed
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.rows import to_event
from state.event import SignalEvent

T = TypeVar("T")

PAGE: Final = 500
#: What an export's CSV tells of each event, in this order.
COLUMNS: Final = (
    "event_id", "trade_id", "derived_trade_ids", "event_type", "event_timestamp", "event_time_source", "received_at",
    "signal_date", "signal_time", "session", "payload_version", "schema_version", "direction", "bias", "symbol",
    "exchange", "timeframe", "strategy_id", "strategy_name", "entry_price", "stop_loss", "risk_distance",
    "current_price", "exit_price", "exit_reason", "mfe", "be_mfe", "no_be_mfe", "mae", "final_mfe", "position_size",
    "account_size", "risk_percent", "risk_amount", "targets", "position", "warnings", "event_key", "body_column",
    "body",
)  # fmt: skip
_CELLS: Final = attrgetter(*COLUMNS)


@dataclass(frozen=True, slots=True)
class Line(Generic[T]):
    """One event of an export: its trade, its key, whether other trades are derived from it, and what is written."""

    trade_id: str
    event_key: str
    event_type: str
    written: T


Places = dict[str, list[Any]]


def texts(
    pool: Pool, *, filters: Mapping[str, Any], written: Callable[[SignalEvent], str]
) -> Iterator[list[Line[str]]]:
    """Every event that passes, in the feed's order, as JSON objects; `written` is how an older row is."""

    def select(connection: Connection, asked: Places) -> dict[int, Line[str]]:
        shown = {row.id: row.text for row in QUERIES.signals.render_events(connection, **asked)}
        return {
            row.id: Line(row.trade_id, row.event_key, row.event_type, f"{shown[row.id][:-1]},{row.text[1:]}")
            for row in QUERIES.exports.select_ends(connection, **asked)
            if shown.get(row.id) is not None
        }

    return _pages(pool, filters, select, written)


def cells(
    pool: Pool, *, filters: Mapping[str, Any], written: Callable[[SignalEvent], list[str | None]]
) -> Iterator[list[Line[list[str | None]]]]:
    """Every event that passes, in the feed's order, as texts in the order of the columns of CSV."""

    def select(connection: Connection, asked: Places) -> dict[int, Line[list[str | None]]]:
        return {
            int(row.event_id): Line(row.trade_id, row.event_key, row.event_type, list(_CELLS(row)))
            for row in QUERIES.exports.select_cells(connection, **asked)
        }

    return _pages(pool, filters, select, written)


def _pages(
    pool: Pool,
    filters: Mapping[str, Any],
    select: Callable[[Connection, Places], dict[int, Line[T]]],
    written: Callable[[SignalEvent], T],
) -> Iterator[list[Line[T]]]:
    """Pages as of now; no connection is held between two of them."""
    horizon, after = feed.advance(pool), 0
    while True:
        with pool.transaction(timeout=60) as connection:
            places = feed.select_places(connection, after=after, horizon=horizon, filters=filters, limit=PAGE)
            found = select(connection, _asked(places))
            older = [place for place in places if place.event_id not in found]
            if older:
                found.update(_older(connection, older, written))
        yield [found[place.event_id] for place in places if place.event_id in found]
        if len(places) < PAGE:
            return
        after = places[-1].feed_position


def _older(
    connection: Connection, places: Sequence[Any], written: Callable[[SignalEvent], T]
) -> Iterator[tuple[int, Line[T]]]:
    for row in QUERIES.signals.select_events_at(connection, **_asked(places)):
        event = to_event(row)
        yield row.id, Line(event.trade_id, event.event_key, event.event_type, written(event))


def _asked(places: Sequence[Any]) -> Places:
    return {"trade_ids": [place.trade_id for place in places], "event_ids": [place.event_id for place in places]}
