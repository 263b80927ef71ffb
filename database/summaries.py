"""Summaries of trades: disposable, folded from the events whenever something reads them."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Any

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.rows import to_event
from state import jsontext
from state.event import SignalEvent
from state.statistics import Outcome
from state.trade import Trade, fold

FOLD_AT_ONCE = 200


def refresh(pool: Pool) -> int:
    """Fold every stream that has new events; returns how many were folded.

    Two readers at once share the work by waiting for each other's streams; writers never wait.
    """
    folded = 0
    while True:
        with pool.transaction(timeout=30) as connection:
            list(QUERIES.summaries.adopt_older_rows(connection))
            streams = [row.trade_id for row in QUERIES.summaries.select_dirty(connection, limit=FOLD_AT_ONCE)]
            if not streams:
                return folded
            _refresh_streams(connection, streams)
            folded += len(streams)


def _refresh_streams(connection: Connection, streams: list[str]) -> None:
    list(QUERIES.summaries.lock_streams(connection, trade_ids=streams))
    marks = list(QUERIES.summaries.select_dirty_rows(connection, trade_ids=streams))
    rows = QUERIES.signals.select_events_for_trades(connection, trade_ids=streams)
    summaries = [
        summary(stream, trade)
        for stream, events in groupby(map(to_event, rows), key=lambda event: event.trade_id)
        for trade in _fold_stream(events)
    ]
    QUERIES.summaries.replace_summaries(connection, trade_ids=streams, rows=jsontext.dump(summaries))
    QUERIES.summaries.delete_dirty_rows(
        connection, trade_ids=[mark.trade_id for mark in marks], seqs=[mark.seq for mark in marks]
    )


def _fold_stream(events: Iterable[SignalEvent]) -> list[Trade]:
    return [fold(events)]


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
        )
        for row in rows
    ]
    return outcomes, sum(row.event_count for row in rows)


def _filters(given: dict[str, Any]) -> dict[str, Any]:
    names = ("status", "direction", "session", "symbol", "strategy", "since", "until")
    return {name: given.get(name) for name in names}
