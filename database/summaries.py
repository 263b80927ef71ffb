"""Summaries of trades: disposable, folded from the events whenever something reads them."""

from datetime import datetime
from itertools import groupby
from typing import Any

from database.aside import aside, patiently
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.rows import to_event
from state import jsontext, older_rows
from state.continuity import Gap
from state.position import STREAM_PREFIX, UNCERTAIN, PositionTrade, compact, trades_of
from state.statistics import Outcome
from state.trade import Trade

FOLD_AT_ONCE = 200
STREAMS_AT_ONCE = 4
ADOPT_AT_ONCE = 5000


def refresh(pool: Pool) -> int:
    """Fold every stream that has new events; returns how many were folded.

    Two readers at once share the work by waiting for each other's streams; writers never wait.
    """
    done: set[str] = set()
    while True:
        with pool.transaction(timeout=30) as connection:
            adopt_older_rows(connection)
            dirty = [row.trade_id for row in QUERIES.summaries.select_dirty(connection, limit=FOLD_AT_ONCE)]
            # what became dirty again meanwhile is for the next reader: under constant writing this one would never end
            streams = [one for one in dirty if one not in done]
            if not streams and len(dirty) < FOLD_AT_ONCE:
                return len(done)
            # a stream of position alerts may hold years of them: few at a time
            positions = [one for one in streams or dirty if one.startswith(STREAM_PREFIX)]
            streams = [one for one in streams or dirty if not one.startswith(STREAM_PREFIX)]
            streams = sorted(streams + positions[:STREAMS_AT_ONCE])
            refresh_streams(connection, streams)
            done.update(streams)


def refresh_streams(connection: Connection, streams: list[str]) -> None:
    """Fold these streams again, within the caller's transaction."""
    list(QUERIES.summaries.lock_streams(connection, trade_ids=streams))
    marks = list(QUERIES.summaries.select_dirty_rows(connection, trade_ids=streams))
    rows = patiently(QUERIES.signals.select_events_for_trades(connection, trade_ids=streams))
    summaries, gaps = aside(lambda: _fold_all(rows))
    QUERIES.summaries.replace_summaries(connection, trade_ids=streams, rows=summaries)
    positions = [stream for stream in streams if stream.startswith(STREAM_PREFIX)]
    if positions:
        QUERIES.summaries.delete_gaps(connection, stream_ids=positions)
    if gaps:
        QUERIES.summaries.insert_gaps(connection, rows=gaps)
    QUERIES.summaries.delete_dirty_rows(
        connection, trade_ids=[mark.trade_id for mark in marks], seqs=[mark.seq for mark in marks]
    )


def _fold_all(rows: list[Any]) -> tuple[str, str]:
    """The summaries and the gaps of whole streams' rows, as JSON ready to be stored ("" when there are no gaps)."""
    summaries, gaps = [], []
    for stream, events in groupby(map(to_event, rows), key=lambda event: event.trade_id):
        trades, breaks = trades_of(events)
        summaries += [summary(stream, trade) for trade in trades]
        gaps += [_gap_row(gap, number) for number, gap in enumerate(breaks)]
    return jsontext.dump(summaries), jsontext.dump(gaps) if gaps else ""


def adopt_older_rows(connection: Connection) -> None:
    """Give rows that older code inserted beside us their lasting key and time, and mark them for fold and feed."""
    rows = [
        {"trade_id": row.trade_id, "id": row.id, **older_rows.time_of(row.whole)}
        for row in QUERIES.summaries.select_older_rows(connection, limit=ADOPT_AT_ONCE)
    ]
    if rows:
        list(QUERIES.summaries.adopt_older_rows(connection, rows=jsontext.dump(rows)))


def _gap_row(gap: Gap, number: int) -> dict[str, Any]:
    told = gap.as_dict()
    return {
        "stream_id": gap.stream,
        "gap_id": f"{gap.stream}@{compact(gap.before)}.{number}",
        "after_time": gap.after,
        "before_time": gap.before,
        "expected": told["expected"],
        "found": told["found"],
    }


def summary(stream_id: str, trade: Trade) -> dict[str, Any]:
    """A trade as the summary table holds it."""
    return {
        "stream_id": stream_id,
        "trade_id": trade.trade_id,
        "status": trade.status,
        "direction": trade.direction,
        "symbol": trade.symbol,
        "strategy_id": trade.strategy_id,
        "strategy": trade.strategy,
        "timeframe": trade.timeframe,
        "session": trade.session,
        "trade_time": trade.entry_time or trade.first_event_time,
        "entry_time": trade.entry_time,
        "exit_time": trade.exit_time,
        "last_event_time": trade.last_event_time,
        "realized_r": trade.realized_r,
        "max_mfe": trade.max_mfe,
        "be_mfe": trade.be_mfe,
        "no_be_mfe": trade.no_be_mfe,
        "mae": trade.mae,
        "event_count": trade.event_count,
        "anomalies": list(trade.anomalies),
        "trade": trade.as_dict(),
        "realized_points": trade.realized_points if isinstance(trade, PositionTrade) else None,
        "uncertain": not UNCERTAIN.isdisjoint(trade.anomalies),
    }


def select_trades(
    pool: Pool, *, filters: dict[str, Any], before: tuple[datetime, str] | None, limit: int
) -> list[tuple[datetime, str, dict[str, Any]]]:
    """A page of trades, newest first: (trade time, trade id, the trade as `Trade.as_dict` gave it)."""
    refresh(pool)
    before_time, before_id = before or (None, None)
    with pool.transaction() as connection:
        rows = QUERIES.summaries.select_trades(
            connection, **_filters(filters), before_time=before_time, before_id=before_id, limit=limit
        )
        return [(row.trade_time, row.trade_id, row.trade) for row in rows]


def select_outcomes(pool: Pool, *, filters: dict[str, Any]) -> tuple[list[Outcome], int]:
    """What the statistics need of each trade that passes the filters, and how many events these have."""
    refresh(pool)
    with pool.transaction(timeout=30) as connection:
        rows = list(QUERIES.summaries.select_outcomes(connection, **_filters(filters)))
    outcomes = [
        Outcome(
            trade_id=row.trade_id,
            status=row.status,
            realized_r=row.realized_r,
            max_mfe=row.max_mfe,
            exit_time=row.exit_time,
            event_count=row.event_count,
            realized_points=row.realized_points,
            uncertain=row.uncertain,
        )
        for row in rows
    ]
    return outcomes, sum(row.event_count for row in rows)


def _filters(given: dict[str, Any]) -> dict[str, Any]:
    names = ("status", "direction", "session", "symbol", "strategy", "since", "until")
    return {name: given.get(name) for name in names}


def select_gaps(pool: Pool, *, before: tuple[datetime, str] | None, limit: int) -> list[Any]:
    """A page of the breaks in continuity, newest first: rows with stream_id, gap_id, after_time, before_time,
    expected and found."""
    refresh(pool)
    before_time, before_id = before or (None, None)
    with pool.transaction() as connection:
        return list(
            QUERIES.summaries.select_gaps(connection, before_time=before_time, before_id=before_id, limit=limit)
        )


def select_overview(pool: Pool, name: str, *, filters: dict[str, Any]) -> list[Any]:
    """The rows of one of the grouped queries: select_hours, select_sessions, select_days."""
    refresh(pool)
    with pool.transaction(timeout=30) as connection:
        return list(getattr(QUERIES.summaries, name)(connection, **_filters(filters)))


def select_integrity(pool: Pool, *, limit: int) -> tuple[list[Any], list[str], int]:
    """The newest trades with what is odd about them, the ids that no alert may have, and the number of trades."""
    refresh(pool)
    with pool.transaction(timeout=30) as connection:
        return (
            list(QUERIES.summaries.select_integrity(connection, limit=limit)),
            [row.trade_id for row in QUERIES.deletions.select_ghosts(connection)],
            QUERIES.summaries.count_trades(connection),
        )
