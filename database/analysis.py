"""Reads for the pages and the analysis, over the summaries that `database.summaries` keeps."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from database.pool import Pool
from database.queries import QUERIES
from database.summaries import refresh
from state.analysis import Result

_FILTERS = ("status", "direction", "session", "symbol", "strategy", "since", "until")


def _filters(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given.get(name) for name in _FILTERS}


def _setup(row: Any) -> str | None:
    parts = [part for part in (row.setup_family, row.setup_variant) if part]
    return row.setup_id or " / ".join(parts) or None


def select_results(pool: Pool, *, filters: dict[str, Any]) -> list[Result]:
    """What the analysis needs of each trade that passes the filters."""
    refresh(pool)
    with pool.transaction(timeout=30) as connection:
        rows = list(QUERIES.analysis.select_results(connection, **_filters(filters)))
    return [
        Result(
            trade_id=row.trade_id,
            status=row.status,
            traded_at=row.trade_time,
            exit_time=row.exit_time,
            session=row.session,
            strategy=row.strategy,
            symbol=row.symbol,
            direction=row.direction,
            setup=_setup(row),
            realized_r=row.realized_r,
            max_mfe=row.max_mfe,
            be_mfe=row.be_mfe,
            no_be_mfe=row.no_be_mfe,
            mae=row.mae,
            event_count=row.event_count,
        )
        for row in rows
    ]


def select_trades_by(
    pool: Pool, *, column: str, ascending: bool, filters: dict[str, Any], offset: int, limit: int
) -> list[dict[str, Any]]:
    """A page of trades by one figure: r, mfe, mae, duration, events or time; those without it come last."""
    refresh(pool)
    with pool.transaction(timeout=20) as connection:
        rows = QUERIES.analysis.select_trades_by(
            connection, **_filters(filters), column=column, sign=-1 if ascending else 1, offset=offset, limit=limit
        )
        return [row.trade for row in rows]


def select_choices(pool: Pool) -> dict[str, list[str]]:
    """The symbols and strategies that trades have, for the filters."""
    with pool.transaction() as connection:
        row = next(iter(QUERIES.analysis.select_choices(connection)))
    return {"symbols": row.symbols or [], "strategies": row.strategies or []}


def select_last_by_strategy(pool: Pool) -> list[Any]:
    """(strategy, last_event_time, trades, open_trades), the most recent first."""
    refresh(pool)
    with pool.transaction() as connection:
        return list(QUERIES.analysis.select_last_by_strategy(connection))


def select_last_prices(pool: Pool, trade_ids: list[str]) -> dict[str, tuple[Decimal, datetime]]:
    """The newest told price of each trade, with its time; trades without one are left out."""
    with pool.transaction() as connection:
        rows = QUERIES.analysis.select_last_prices(connection, trade_ids=trade_ids)
        return {row.trade_id: (row.current_price, row.event_timestamp) for row in rows}


def any_alert(pool: Pool) -> bool:
    """Whether any alert was ever stored."""
    with pool.transaction() as connection:
        return bool(QUERIES.analysis.select_anything(connection))


def newest_alert(pool: Pool) -> tuple[datetime, int] | None:
    """When the alert that came last was received, and its row number; None before the first."""
    with pool.transaction() as connection:
        row = QUERIES.analysis.select_newest(connection)
    return None if row is None else (row.received_at, row.id)
