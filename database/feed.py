"""Following events: in an order in which nothing can appear before what a follower has seen."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from database.aside import patiently
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.rows import to_event
from database.summaries import adopt_older_rows
from state.event import SignalEvent

TAKE_AT_ONCE: Final = 5000
PAGE: Final = 500
FILTERS: Final = ("types", "symbol", "strategy", "session", "direction", "since", "until")


def advance(pool: Pool) -> int:
    """Give every event committed so far its position, and return the newest position.

    An event that commits later gets a later position, whatever its number.
    """
    while True:
        with pool.transaction(timeout=30) as connection:
            adopt_older_rows(connection)
            if not _take(connection):
                horizon: int = QUERIES.feed.select_horizon(connection)
                return horizon


def _take(connection: Connection) -> int:
    if not list(QUERIES.feed.select_pending(connection, limit=1)):
        return 0
    list(QUERIES.feed.lock_feed(connection))
    rows = list(QUERIES.feed.select_pending(connection, limit=TAKE_AT_ONCE))
    asked = {"trade_ids": [row.trade_id for row in rows], "event_ids": [row.event_id for row in rows]}
    QUERIES.feed.delete_pending(connection, **asked)
    QUERIES.feed.append(connection, **asked)
    return len(rows)


def select_feed(
    pool: Pool, *, after: int, horizon: int, filters: Mapping[str, Any], limit: int
) -> list[tuple[int, SignalEvent]]:
    """Events after a position, up to the horizon that `advance` told, in order: (position, event)."""
    with pool.transaction(timeout=30) as connection:
        rows = QUERIES.feed.select_feed(
            connection,
            after=after,
            horizon=horizon,
            limit=limit,
            **{name: filters.get(name) for name in FILTERS},
        )
        return patiently((row.feed_position, to_event(row)) for row in rows)


def walk(pool: Pool, *, filters: Mapping[str, Any]) -> Iterator[list[SignalEvent]]:
    """Every event that passes, in pages, as of now; no connection is held between two pages."""
    horizon, after = advance(pool), 0
    while True:
        page = select_feed(pool, after=after, horizon=horizon, filters=filters, limit=PAGE)
        if page:
            yield [event for _, event in page]
        if len(page) < PAGE:
            return
        after = page[-1][0]
