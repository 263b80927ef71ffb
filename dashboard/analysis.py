"""Analysis: where the results come from, each figure with its sample size."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

from flask import Response

from dashboard.filters import arguments, choices
from dashboard.pages import blueprint, page
from database import analysis
from handlers.aside import aside
from handlers.middleware.access import Role, access
from handlers.queries import TradeFilters
from handlers.services import services
from state.analysis import (
    MIN_TRADES,
    WINDOW,
    Result,
    by_hour,
    by_session,
    by_weekday,
    calendar,
    figures,
    grouped,
    histogram,
    rolling_expectancy,
    steps_of,
    stop_strategies,
)
from state.newyork import trading_date

#: Without a filter by date the analysis looks at this many days.
DEFAULT_DAYS: Final = 90
MOST_DOTS: Final = 2000
MOST_POINTS: Final = 1000
_STEPS: Final = (Decimal("0.5"), Decimal(1), Decimal(2), Decimal(4))


@blueprint.get("/analysis")
@access(Role.READ)
def show_analysis() -> Response:
    """The page."""
    query = arguments(TradeFilters())
    defaulted = query["since"] is None and query["until"] is None
    if defaulted:
        query["since"] = datetime.now(UTC) - timedelta(days=DEFAULT_DAYS)
    results = analysis.select_results(services().pool, filters=query)
    found = aside(lambda: _everything(results))
    return page(
        "analysis.html",
        defaulted=DEFAULT_DAYS if defaulted else None,
        window=WINDOW,
        min_trades=MIN_TRADES,
        any_alert=bool(results) or analysis.any_alert(services().pool),
        **found,
        **choices(),
    )


def _everything(results: list[Result]) -> dict[str, Any]:
    """All that is computed: beside the event loop, so that alerts are answered meanwhile."""
    steps = steps_of(row.outcome for row in results)
    rolling = rolling_expectancy(steps, every=-(-len(steps) // MOST_POINTS) or 1)
    return {
        "overall": figures(results),
        "weeks": weeks(results),
        "histogram": histogram(results),
        "dots": _dots(results),
        "rolling": {"at": [at for at, _ in rolling], "value": [value for _, value in rolling]},
        "groups": _groups(results),
        "stops": stop_strategies(results),
    }


def _groups(results: list[Result]) -> list[dict[str, Any]]:
    """Each way of grouping: title, the name of the filter that a row sets, rows."""
    return [
        {"title": "By session", "filter": "session", "rows": by_session(results)},
        {"title": "By hour of entry (New York)", "filter": None, "rows": by_hour(results)},
        {"title": "By weekday", "filter": None, "rows": by_weekday(results)},
        {"title": "By setup", "filter": None, "rows": grouped(results, lambda row: row.setup)},
        {"title": "By strategy", "filter": None, "rows": grouped(results, lambda row: row.strategy)},
        {"title": "By symbol", "filter": "symbol", "rows": grouped(results, lambda row: row.symbol)},
    ]


def _dots(results: list[Result]) -> dict[str, Any]:
    """MFE against MAE (as a positive distance) of the newest finished trades that tell both."""
    told = [row for row in results if row.decided and row.max_mfe is not None and row.mae is not None]
    told = sorted(told, key=attrgetter("entered_ny"))[-MOST_DOTS:]
    return {
        "mae": [abs(row.mae) for row in told if row.mae is not None],
        "mfe": [row.max_mfe for row in told],
        "r": [row.realized_r for row in told],
        "id": [row.trade_id for row in told],
        "n": len(told),
    }


def weeks(results: list[Result]) -> list[list[dict[str, Any]]]:
    """The calendar as weeks of seven days from Monday, oldest first; a day without trades has only its date."""
    days = calendar(results)
    if not days:
        return []
    today = trading_date(datetime.now(UTC))
    first, last = min(days), max([*days, *([today] if today - max(days) < timedelta(days=7) else [])])
    start = first - timedelta(days=first.weekday())
    count = (last - start).days // 7 + 1
    return [[_cell(start + timedelta(days=7 * week + day), days) for day in range(7)] for week in range(count)]


def _cell(day: date, days: dict[date, dict[str, Any]]) -> dict[str, Any]:
    found = days.get(day)
    return {"day": day, **(found or {"trades": 0, "n": 0, "net_r": None}), "heat": _heat(found)}


def _heat(found: dict[str, Any] | None) -> str:
    """The colour class: g1 to g4 above 0 R, b1 to b4 below, z at 0, "" without a result."""
    if found is None or found["net_r"] is None:
        return ""
    value: Decimal = found["net_r"]
    if value == 0:
        return "z"
    step = 1 + sum(abs(value) >= limit for limit in _STEPS[1:])
    return f"{'g' if value > 0 else 'b'}{step}"
