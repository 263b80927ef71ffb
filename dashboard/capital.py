"""Capital: what came in and went out, balances and drawdown over time, the forecast, the freeze check."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import marshmallow as ma
from flask import Response
from marshmallow import fields, validate

from dashboard.filters import arguments
from dashboard.pages import blueprint, page
from database import capital
from handlers.capital import trend
from handlers.capital_jobs import month_ahead, threshold
from handlers.fields import Exact, Text
from handlers.middleware.access import Role, access
from handlers.services import services
from state.capital import check_freeze

RECORDS: Final = 30
_LARGEST: Final = 10**30


class CapitalQuery(ma.Schema):
    """The buckets, and two balances to compare."""

    bucket = fields.String(load_default="day", validate=validate.OneOf(["day", "week", "month"]))
    prev_balance = Exact(low=-_LARGEST, high=_LARGEST, load_default=None)
    current_balance = Exact(low=-_LARGEST, high=_LARGEST, load_default=None)
    source = Text(1, 120, load_default=None)


@blueprint.get("/capital")
@access(Role.READ)
def show_capital() -> Response:
    """The page."""
    query, here = arguments(CapitalQuery()), services()
    asked = {"source": None, "currency": None, "since": None, "until": None, "limit": 2000}
    buckets = [trend(row) for row in capital.select_trends(here.pool, bucket=query["bucket"], **asked)]
    records = capital.select_intakes(here.pool, source=None, currency=None, before=None, limit=RECORDS)
    return page(
        "capital.html",
        bucket=query["bucket"],
        base=here.settings.capital_base_currency,
        totals=capital.select_totals(here.pool),
        forecast=month_ahead(None),
        records=records,
        balance_chart=_lines(buckets, "balance"),
        drawdown_chart=_lines(buckets, "drawdown_pct", Decimal(-100)),
        newest=_newest(buckets),
        profiles=capital.select_profiles(here.pool),
        default_threshold=here.settings.freeze_drawdown_pct,
        checked=_check(query),
        asked=query,
    )


def _lines(buckets: Sequence[dict[str, Any]], name: str, factor: Decimal = Decimal(1)) -> dict[str, Any]:
    """One line per source and currency, oldest first."""
    series: dict[str, dict[str, Any]] = {}
    for row in reversed(buckets):
        title = f"{row['source']} {row['currency']}"
        line = series.setdefault(title, {"name": title, "step": True, "dots": True, "x": [], "y": []})
        line["x"].append(f"{row['start']}T12:00:00Z")
        line["y"].append(None if row[name] is None else row[name] * factor)
    return {"series": list(series.values()), "unit": "%" if factor != 1 else ""}


def _newest(buckets: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest bucket of each source and currency."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in buckets:
        newest.setdefault((row["source"], row["currency"]), row)
    return [newest[place] for place in sorted(newest)]


def _check(query: dict[str, Any]) -> Any:
    """The freeze check of two balances. It is only shown here: the API's own also notes a freeze."""
    if query["prev_balance"] is None or query["current_balance"] is None:
        return None
    limit = threshold(services().settings, query["source"])
    return check_freeze(query["prev_balance"], query["current_balance"], limit)
