"""Following events: in an order in which nothing can appear before what a follower has seen."""

from collections.abc import Mapping
from typing import Any, Final

from database import renderings
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.summaries import adopt_older_rows

TAKE_AT_ONCE: Final = 5000
FILTERS: Final = ("types", "symbol", "strategy", "session", "direction", "since", "until")


def advance(pool: Pool) -> int:
    """Give every event committed so far its position, and return the newest position.

    An event that commits later gets a later position, whatever its number.
    """
    while True:
        with pool.transaction(timeout=30) as connection:
            state = QUERIES.feed.select_state(connection)
            if not (state.waiting or state.older):
                return int(state.horizon)
        with pool.transaction(timeout=30) as connection:
            adopt_older_rows(connection)
            _take(connection)


def _take(connection: Connection) -> None:
    list(QUERIES.feed.lock_feed(connection))
    rows = list(QUERIES.feed.select_pending(connection, limit=TAKE_AT_ONCE))
    asked = {"trade_ids": [row.trade_id for row in rows], "event_ids": [row.event_id for row in rows]}
    QUERIES.feed.delete_pending(connection, **asked)
    QUERIES.feed.append(connection, **asked)


def select_page(
    pool: Pool, *, after: int, horizon: int, filters: Mapping[str, Any], limit: int
) -> list[tuple[int, str]]:
    """Events after a position, up to the horizon that `advance` told, in order: (position, JSON text)."""
    with pool.transaction(timeout=30) as connection:
        places = select_places(connection, after=after, horizon=horizon, filters=filters, limit=limit)
        texts = renderings.select_texts(connection, [(row.trade_id, row.event_id) for row in places])
        return [(row.feed_position, texts[row.event_id]) for row in places if row.event_id in texts]


def select_places(
    connection: Connection, *, after: int, horizon: int, filters: Mapping[str, Any], limit: int
) -> list[Any]:
    """Where the same events stand: feed_position, trade_id, event_id."""
    asked, chosen = {"after": after, "horizon": horizon, "limit": limit}, _chosen(filters)
    if all(value is None for value in chosen.values()):
        return list(QUERIES.feed.select_all_places(connection, **asked))
    return list(QUERIES.feed.select_places(connection, **asked, **chosen))


def _chosen(filters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: filters.get(name) for name in FILTERS}
