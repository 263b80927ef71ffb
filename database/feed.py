"""Following events: in an order in which nothing can appear before what a follower has seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from database import renderings
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.summaries import adopt_older_rows

TAKE_AT_ONCE: Final = 5000
FILTERS: Final = ("types", "symbol", "strategy", "session", "direction", "since", "until")


@dataclass(frozen=True, slots=True)
class Page:
    """Events as JSON texts in the order of their positions, the position that was reached, and whether more follow."""

    texts: list[str]
    reached: int
    more: bool


def advance(pool: Pool) -> int:
    """Give every event committed so far its position, and return the newest position.

    An event that commits later gets a later position, whatever its number.
    """
    return int(_advance(pool, after=0, limit=0).horizon)


def _advance(pool: Pool, *, after: int, limit: int) -> Any:
    """The same, with the places that follow a position: (horizon, feed_positions, trade_ids, event_ids)."""
    while True:
        with pool.statements(timeout=30) as connection:
            state = QUERIES.feed.select_state(connection, after=after, limit=limit)
        if not (state.waiting or state.older):
            return state
        with pool.transaction(timeout=30) as connection:
            adopt_older_rows(connection)
            _take(connection)


def _take(connection: Connection) -> None:
    list(QUERIES.feed.lock_feed(connection))
    rows = list(QUERIES.feed.select_pending(connection, limit=TAKE_AT_ONCE))
    asked = {"trade_ids": [row.trade_id for row in rows], "event_ids": [row.event_id for row in rows]}
    QUERIES.feed.delete_pending(connection, **asked)
    QUERIES.feed.append(connection, **asked)


def select_page(pool: Pool, *, after: int, filters: Mapping[str, Any], limit: int) -> Page:
    """Events after a position, every one that is committed by now.

    What counts is the places: an event that is deleted meanwhile leaves the page shorter, and nothing is passed over.
    """
    filtered = any(value is not None for value in _chosen(filters).values())
    state = _advance(pool, after=after, limit=0 if filtered else limit + 1)
    if filtered:
        asked = {"after": after, "horizon": state.horizon, "limit": limit + 1}
        with pool.statements(timeout=30) as connection:
            found = [tuple(row) for row in select_places(connection, filters=filters, **asked)]
    else:
        found = list(zip(state.feed_positions, state.trade_ids, state.event_ids, strict=True))
    page, more = found[:limit], len(found) > limit
    reached = page[-1][0] if more else max(int(state.horizon), after)
    if not page:
        return Page([], reached, more)
    with pool.statements(timeout=30) as connection:
        texts = renderings.select_texts(connection, [(trade_id, event_id) for _, trade_id, event_id in page])
    return Page([texts[event_id] for _, _, event_id in page if event_id in texts], reached, more)


def select_places(
    connection: Connection, *, after: int, horizon: int, filters: Mapping[str, Any], limit: int
) -> list[Any]:
    """Where the events after a position and up to the horizon that `advance` told stand, in order: feed_position,
    trade_id, event_id."""
    asked, chosen = {"after": after, "horizon": horizon, "limit": limit}, _chosen(filters)
    if all(value is None for value in chosen.values()):
        return list(QUERIES.feed.select_all_places(connection, **asked))
    return list(QUERIES.feed.select_places(connection, **asked, **chosen))


def _chosen(filters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: filters.get(name) for name in FILTERS}
