"""The forecast and the freeze check, whenever somebody asks; the nightly job asks as well."""

from datetime import UTC, datetime
from typing import Any, Final

import marshmallow as ma
import structlog
from flask import Response

from database import capital, freezes
from database.governance.audit import Who
from errors import DatabaseError, Unavailable
from handlers.blueprint import Blueprint
from handlers.capital import CurrencyCode
from handlers.fields import Exact, Text, Yes
from handlers.middleware.access import Role, access, key_id, require_key
from handlers.middleware.answers import answer
from handlers.middleware.request_id import current_id
from handlers.services import services
from settings import Settings
from state.capital import FreezeCheck, check_freeze
from state.forecast import forecast
from state.governance.numbers import shown
from state.newyork import trading_date

log = structlog.get_logger()

blueprint = Blueprint("capital_jobs", __name__, description="Forecast and freeze check.")

_LARGEST: Final = 10**30


class ForecastQuery(ma.Schema):
    """The currency that is asked about."""

    currency = CurrencyCode(load_default=None)


@blueprint.get("/api/jobs/forecast/month")
@access(Role.READ)
@blueprint.arguments(ForecastQuery, location="query")
def show_forecast(query: dict[str, Any]) -> Response:
    """The balance one month ahead: total * (1 + FORECAST_MONTHLY_YIELD), exact.

    `by_currency` has the other currencies; `converted` is all of them together in the asked currency at the newest
    rates, `without` names those that have no rate. It is null when no other currency can be converted.
    """
    return answer({"ok": True, **month_ahead(query["currency"])})


def month_ahead(currency: str | None) -> dict[str, Any]:
    """The forecast of `/api/jobs/forecast/month`, in the base currency unless another is named."""
    here = services()
    currency = currency or here.settings.capital_base_currency
    rates = {row.currency: row.rate for row in capital.select_rates(here.pool, until=datetime.now(UTC))}
    rates[here.settings.capital_base_currency] = 1
    totals = capital.select_totals(here.pool)
    return dict(forecast(totals, rates, currency, here.settings.forecast_monthly_yield))


class FreezeQuery(ma.Schema):
    """Two balances in one currency."""

    prev_balance = Exact(low=-_LARGEST, high=_LARGEST, required=True)
    current_balance = Exact(low=-_LARGEST, high=_LARGEST, required=True)
    source = Text(1, 120, load_default=None)
    engage = Yes(load_default=False)


@blueprint.get("/api/jobs/freeze/check")
@access(Role.READ)
@blueprint.arguments(FreezeQuery, location="query")
def check(query: dict[str, Any]) -> Response:
    """Whether the fall from one balance to the next exceeds the threshold; exactly at it is still acceptable.

    `drawdown_pct` and `threshold_pct` are fractions: 0.02 is 2%. `source` applies that source's own threshold. A freeze
    makes one notice per New York day, source and pair of balances, however often it is asked; a viewer's login makes
    none. `engage=true`, which needs the admin key in X-Admin-Key (no login counts), engages the kill switch when
    frozen, audited; engaging it again changes nothing else.
    """
    if query["engage"]:
        require_key(Role.ADMIN)
    here = services()
    found = check_freeze(query["prev_balance"], query["current_balance"], threshold(here.settings, query["source"]))
    result = {
        "ok": True,
        "frozen": found.frozen,
        "drawdown_pct": found.drawdown,
        "threshold_pct": found.threshold,
        "prev_balance": found.previous,
        "current_balance": found.current,
        "message": found.message,
    }
    if query["source"] is not None:
        result["source"] = query["source"]
    if found.frozen and not key_id().startswith("viewer:"):
        _tell(found, query["source"], engage=query["engage"])
    if query["engage"]:
        result["kill_switch_engaged"] = found.frozen
    return answer(result)


def threshold(settings: Settings, source: str | None) -> Any:
    """The fraction above which a fall freezes: the source's own, or the general one."""
    own = capital.select_profiles(services().pool, source) if source is not None else []
    return own[0].freeze_drawdown_pct if own else settings.freeze_drawdown_pct


def _tell(found: FreezeCheck, source: str | None, *, engage: bool) -> None:
    """Note the freeze. Without a database the answer still says frozen: whoever asked must not miss it."""
    day = trading_date(datetime.now(UTC))
    about = f" of {source}" if source else ""
    title = f"{found.message}{about}: {found.previous:f} to {found.current:f}"
    detail = {
        "source": source,
        "previous": found.previous,
        "current": found.current,
        "drawdown_pct": found.drawdown,
        "threshold_pct": found.threshold,
        "request_id": current_id(),
    }
    try:
        freezes.record_freeze(
            services().pool,
            fact=f"freeze:{day}:{source or ''}:{shown(found.previous)}:{shown(found.current)}",
            title=title,
            detail=detail,
            engage_as=Who("freeze check", key_id(), title, current_id()) if engage else None,
        )
    except (DatabaseError, Unavailable) as error:
        if engage:
            raise
        log.error("freeze_not_noted", code=error.code, **{name: str(value) for name, value in detail.items()})
