"""What trading scripts record: breakouts, equity and risk, systems and orders, per profile."""

from typing import Any, Final

import marshmallow as ma
from flask import Response
from marshmallow import fields, validate

from dashboard.filters import arguments
from dashboard.pages import blueprint, page
from database import telemetry_reads
from handlers import telemetry_metrics as metrics
from handlers.middleware.access import Role, access
from handlers.services import services
from state.telemetry.records import MAX_PROFILE

PERIODS: Final = (1, 7, 30, 90, 365)


class ProfileQuery(ma.Schema):
    """Which profile, and which days."""

    profile = fields.Integer(load_default=None, validate=validate.Range(0, MAX_PROFILE))
    days = fields.Integer(load_default=30, validate=validate.OneOf(PERIODS))


@blueprint.get("/breakout")
@access(Role.READ)
def show_breakout() -> Response:
    """Breakouts and the report of closed trades."""
    return _page("breakout.html", lambda profile, days: {
        "report": metrics.breakout_report(profile, days),
        "performance": metrics.performance_report(profile, days),
    })  # fmt: skip


@blueprint.get("/equity")
@access(Role.READ)
def show_equity_and_risk() -> Response:
    """Equity, drawdown and margin."""

    def read(profile: int, days: int) -> dict[str, Any]:
        report = metrics.equity_report(profile, days)
        falls = [None if one["drawdown_pct"] is None else -one["drawdown_pct"] for one in report["series"]]
        return {"report": report, "falls": falls}

    return _page("equity.html", read)


@blueprint.get("/system")
@access(Role.READ)
def show_system_and_orders() -> Response:
    """Scripts, their health, and what became of orders."""
    return _page("system.html", lambda profile, days: {
        "orders": metrics.orders_report(profile, days),
        "systems": metrics.system_report(profile),
    })  # fmt: skip


def _page(template: str, read: Any) -> Response:
    """A page of one profile: the asked one, else the first that is known; without any it says so."""
    here, query = services(), arguments(ProfileQuery())
    alerts = {number for _, number in here.settings.strategy_profiles}
    profiles = sorted({*telemetry_reads.select_profiles(here.pool), *alerts})
    profile = query["profile"] if query["profile"] is not None else next(iter(profiles), None)
    told = {} if profile is None else read(profile, query["days"])
    return page(template, profiles=profiles, profile=profile, days=query["days"], periods=PERIODS, **told)
