"""Proving that the summaries equal a full fold, and making them so where they do not."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from database import totals
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.rows import to_event
from database.summaries import FOLD_AT_ONCE, refresh, refresh_streams
from state import jsontext
from state.position import trades_of

#: What is called wrong when the totals over all trades are.
TOTALS: Final = "(totals)"


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild found: how much it folded, and the streams whose summaries were wrong (now right)."""

    streams: int = 0
    trades: int = 0
    differed: list[str] = field(default_factory=list)


def rebuild(pool: Pool, on_progress: Callable[[int], None] = lambda _: None) -> Rebuilt:
    """Fold every stream again and compare with what its summary says; `on_progress` is told how many were done."""
    refresh(pool)
    result, after = Rebuilt(), ""
    while True:
        with pool.transaction(timeout=300) as connection:
            streams = [
                row.trade_id for row in QUERIES.summaries.select_streams(connection, after=after, limit=FOLD_AT_ONCE)
            ]
            if streams:
                _compare(connection, streams, result)
                refresh_streams(connection, streams, whole=True)
            else:
                orphans = [row.stream_id for row in QUERIES.summaries.select_orphans(connection)]
                if orphans:
                    result.differed += orphans
                    refresh_streams(connection, orphans, whole=True)
                break
        after = streams[-1]
        on_progress(len(streams))
    # a wrong summary is wrong in the totals too, and not told twice
    if not totals.recount(pool) and not result.differed:
        result.differed.append(TOTALS)
    return result


def count_streams(pool: Pool) -> int:
    """How many streams a rebuild will walk."""
    with pool.transaction(timeout=60) as connection:
        found: int = QUERIES.summaries.count_streams(connection)
        return found


def _compare(connection: Connection, streams: list[str], result: Rebuilt) -> None:
    # An alert that comes in between leaves a mark; its stream is not wrong, only not yet folded again.
    list(QUERIES.summaries.lock_streams(connection, trade_ids=streams))
    events = [to_event(row) for row in QUERIES.signals.select_events_for_trades(connection, trade_ids=streams)]
    kept: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in QUERIES.summaries.select_summaries_of(connection, stream_ids=streams):
        kept[row.stream_id][row.trade_id] = row.trade
    marked = {row.trade_id for row in QUERIES.summaries.select_dirty_rows(connection, trade_ids=streams)}
    for stream, group in groupby(events, key=lambda event: event.trade_id):
        trades, _ = trades_of(group)
        folded = {trade.trade_id: jsontext.stored(jsontext.dump(trade.as_dict())) for trade in trades}
        result.streams += 1
        result.trades += len(folded)
        if stream not in marked and folded != kept[stream]:
            result.differed.append(stream)
