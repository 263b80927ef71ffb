"""Reads for the pages and the analysis, over the summaries that `database.summaries` keeps."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from database import totals
from database.aside import aside, patiently
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.summaries import refresh
from state.analysis import Point, Result, equity_curve
from state.lifecycle import OPEN_STATUSES
from state.newyork import to_new_york
from state.r_multiple import EXACT
from state.statistics import Sample
from state.tally import sample_of

_FILTERS = ("status", "direction", "session", "symbol", "strategy", "since", "until")


def _filters(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given.get(name) for name in _FILTERS}


@dataclass(frozen=True, slots=True)
class Period:
    """A period, which trades belong to by their beginning: its sample, and how far cumulative R stands below its peak
    at the end."""

    sample: Sample
    current_drawdown: Decimal | None


def select_periods(pool: Pool, *, before: datetime, since: datetime) -> tuple[Period, list[Point], Period]:
    """The period since then with its equity curve, and the one from `before` until then."""
    refresh(pool)
    queries = QUERIES.analysis

    def read(connection: Connection) -> tuple[Any, ...]:
        return (
            totals.select_tallies(connection, {"since": since}),
            patiently(queries.select_steps(connection, since=since)),
            totals.select_tallies(connection, {"since": before, "until": since}),
            queries.select_falls(connection, since=before, until=since),
        )

    tallies, steps, earlier, falls = pool.read(read, timeout=30)
    curve = aside(lambda: equity_curve(steps))
    deepest = EXACT.minus(min(point.underwater for point in curve)) if curve else None
    latest = EXACT.minus(curve[-1].underwater) if curve else None
    previous = Period(sample_of(earlier, falls.deepest), falls.latest)
    return Period(sample_of(tallies, deepest), latest), curve, previous


def count_open(pool: Pool) -> int:
    """How many trades hold a position, in summaries that are up to date."""
    asked = sorted(OPEN_STATUSES)
    return int(pool.read(lambda connection: QUERIES.analysis.count_with_status(connection, statuses=asked)))


def select_results(pool: Pool, *, filters: dict[str, Any]) -> list[Result]:
    """What the analysis needs of each trade that passes the filters."""
    refresh(pool)
    asked = _filters(filters)
    rows = pool.read(lambda connection: list(QUERIES.analysis.select_results(connection, **asked)), timeout=30)
    return [
        Result(
            trade_id=row.trade_id,
            status=row.status,
            entered_ny=to_new_york(row.trade_time),
            exit_time=row.exit_time,
            session=row.session,
            strategy=row.strategy,
            symbol=row.symbol,
            direction=row.direction,
            setup=row.setup,
            realized_r=row.realized_r,
            max_mfe=row.max_mfe,
            be_mfe=row.be_mfe,
            no_be_mfe=row.no_be_mfe,
            mae=row.mae,
            event_count=row.event_count,
            realized_points=row.realized_points,
            uncertain=row.uncertain,
        )
        for row in rows
    ]


def select_trades_by(
    pool: Pool, *, column: str, ascending: bool, filters: dict[str, Any], offset: int, limit: int
) -> list[dict[str, Any]]:
    """A page of trades by one figure: r, mfe, mae, duration, events or time; those without it come last."""
    refresh(pool)
    order = {"column": column, "sign": -1 if ascending else 1, "offset": offset, "limit": limit}
    asked = {**_filters(filters), **order}
    rows = pool.read(lambda connection: list(QUERIES.analysis.select_trades_by(connection, **asked)), timeout=20)
    return [row.trade for row in rows]


def select_choices(pool: Pool) -> dict[str, list[str]]:
    """The symbols and strategies that trades have, for the filters."""
    (row,) = pool.read(lambda connection: list(QUERIES.analysis.select_choices(connection)))
    return {"symbols": row.symbols or [], "strategies": row.strategies or []}


def select_last_by_strategy(pool: Pool) -> list[Any]:
    """(strategy, last_event_time, trades, open_trades), the most recent first."""
    refresh(pool)
    return pool.read(lambda connection: list(QUERIES.analysis.select_last_by_strategy(connection)))


def select_last_prices(pool: Pool, trade_ids: list[str]) -> dict[str, tuple[Decimal, datetime]]:
    """The newest told price of each trade, with its time; trades without one are left out."""
    rows = pool.read(lambda connection: list(QUERIES.analysis.select_last_prices(connection, trade_ids=trade_ids)))
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
