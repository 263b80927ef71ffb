"""The metrics of trading scripts: breakouts, equity, orders, systems and closed trades of one profile.

A profile that nobody knows has no numbers: nulls, counts of 0 and empty lists, with status 200. A store that cannot
be read is a 503, never a null.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import marshmallow as ma
from flask import Response

from database import alert_trades, hot
from database import telemetry_reads as reads
from errors import Detail, Invalid
from handlers.blueprint import Blueprint
from handlers.fields import Text
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.middleware.cors import from_other_origins
from handlers.queries import PageQuery, cursor
from handlers.services import services
from state.telemetry import performance as formulas
from state.telemetry.records import MAX_PROFILE

blueprint = Blueprint("telemetry_metrics", __name__, description="Metrics of trading scripts, per profile.")


class WindowQuery(ma.Schema):
    """The last so many days."""

    days = ma.fields.Integer(load_default=7, validate=ma.validate.Range(1, 365))


class MonthQuery(ma.Schema):
    """The last so many days, 30 unless said."""

    days = ma.fields.Integer(load_default=30, validate=ma.validate.Range(1, 365))


class OrdersQuery(WindowQuery):
    """Orders of one script, or of all."""

    script_name = Text(1, 100, load_default=None)


class SystemQuery(ma.Schema):
    """One script, or all."""

    script_name = Text(1, 100, load_default=None)


class ClosedTradesQuery(MonthQuery, PageQuery):
    """A page of closed trades, of one symbol or of all."""

    symbol = Text(1, 100, load_default=None)


@blueprint.get("/api/v1/metrics/breakout/<profile_id>")
@access(Role.READ)
@from_other_origins
@blueprint.arguments(WindowQuery, location="query")
def show_breakout(query: dict[str, Any], profile_id: str) -> Response:
    """Breakout trades entered in the window: rates in percent, money in currency, slippage as a fraction.

    `avg_slippage` is how much worse than the signal's price the entries were. `by_hour` is by UTC hour of entry.
    """
    return answer(breakout_report(_profile(profile_id), query["days"]))


def breakout_report(profile: int, days: int) -> dict[str, Any]:
    """The answer of `/api/v1/metrics/breakout/<profile_id>`."""
    found = reads.select_breakouts(services().pool, profile_id=profile, since=_since(days))
    reasons = [{"exit_reason": reason, **formulas.breakout(sums)} for reason, sums in found.by_exit_reason]
    hours = [{"hour": hour, **formulas.breakout(sums)} for hour, sums in found.by_hour]
    return {
        "profile_id": profile,
        "days": days,
        **formulas.breakout(found.total),
        "total_signals": found.signals,
        "by_exit_reason": reasons,
        "by_hour": hours,
    }


@blueprint.get("/api/v1/metrics/equity/<profile_id>")
@access(Role.READ)
@from_other_origins
@blueprint.arguments(WindowQuery, location="query")
def show_equity(query: dict[str, Any], profile_id: str) -> Response:
    """The newest equity point (`as_of` its time, however old), and the window's drawdowns and curve.

    Drawdowns are positive; `max_drawdown` (currency) and `max_drawdown_pct` are the largest falls from a running peak
    of the window. The series has the window's points or, when they are more than 500, as many equally long stretches of
    time with their last point, low, high and deepest drawdown.
    """
    return answer(equity_report(_profile(profile_id), query["days"]))


def equity_report(profile: int, days: int) -> dict[str, Any]:
    """The answer of `/api/v1/metrics/equity/<profile_id>`."""
    latest, curve = reads.select_equity(services().pool, profile_id=profile, since=_since(days))
    last = curve[-1] if curve else None
    percents = [point["fall_pct"] for point in curve if point["fall_pct"] is not None]
    return {
        "profile_id": profile,
        "days": days,
        **formulas.equity(latest),
        "max_drawdown": max((point["fall"] for point in curve), default=None),
        "max_drawdown_pct": max(percents, default=None),
        "current_drawdown_pct": formulas.drawdown_pct(last["account_equity"], last["peak"]) if last else None,
        "peak_equity": last["peak"] if last else None,
        "series": [_curve_point(point) for point in curve],
    }


def _curve_point(point: dict[str, Any]) -> dict[str, Any]:
    return {
        "timestamp": point["recorded_at"],
        "equity": point["account_equity"],
        "low": point["low"],
        "high": point["high"],
        "drawdown_pct": point["fall_pct"],
    }


@blueprint.get("/api/v1/metrics/orders/<profile_id>")
@access(Role.READ)
@from_other_origins
@blueprint.arguments(OrdersQuery, location="query")
def show_orders(query: dict[str, Any], profile_id: str) -> Response:
    """Orders first seen in the window, each counted once in its latest state; rates in percent of all of them.

    The latency is the mean over all API calls of the window, the times to fill are seconds from an order's first
    record to its fill. Records without an order_id belong to no order and are counted by themselves.
    """
    return answer(orders_report(_profile(profile_id), query["days"], query["script_name"]))


def orders_report(profile: int, days: int, script: str | None = None) -> dict[str, Any]:
    """The answer of `/api/v1/metrics/orders/<profile_id>`."""
    found = reads.select_orders(services().pool, profile_id=profile, script=script, since=_since(days))
    total = found["total_orders"]
    counts = ("filled_orders", "canceled_orders", "expired_orders", "converted_orders", "rejected_orders")
    return {
        "profile_id": profile,
        "days": days,
        "script_name": script,
        "total_orders": total,
        **{name: found[name] for name in (*counts, "open_orders")},
        "conversion_rate": formulas.percent(found["converted_orders"], total),
        "fill_rate": formulas.percent(found["filled_orders"], total),
        "avg_api_latency_ms": formulas.mean(found["latency_total"], found["calls"]),
        "api_calls": found["calls"],
        "avg_slippage": formulas.mean(found["slippage_total"], found["slippages"]),
        "time_to_fill": {
            "p50": found["fill_p50"],
            "p95": found["fill_p95"],
            "sample_count": found["timed_fills"],
        },
        "records_without_order_id": found["records_without_order_id"],
    }


@blueprint.get("/api/v1/metrics/system/<profile_id>")
@access(Role.READ)
@from_other_origins
@blueprint.arguments(SystemQuery, location="query")
def show_system(query: dict[str, Any], profile_id: str) -> Response:
    """One element per script ever seen: its latest health, and the API latencies of the last hour in milliseconds.

    `stale` is true when nothing was heard of a script for TELEMETRY_STALE_SECONDS.
    """
    return answer(system_report(_profile(profile_id), query["script_name"]))


def system_report(profile: int, script: str | None = None) -> list[dict[str, Any]]:
    """The answer of `/api/v1/metrics/system/<profile_id>`."""
    here, now = services(), datetime.now(UTC)
    systems = reads.select_systems(
        here.pool,
        hot.store(here.settings.redis_url),
        profile_id=profile,
        script=script,
        now=now,
    )
    stale_before = now - timedelta(seconds=here.settings.telemetry_stale_seconds)
    return [_system(profile, system, stale_before) for system in systems]


def _system(profile: int, system: dict[str, Any], stale_before: datetime) -> dict[str, Any]:
    health = system["health"] or {}
    average = formulas.mean(system["latency_total"], system["samples"])
    last_seen = max(at for at in (health.get("recorded_at"), system["last_latency"]) if at is not None)
    return {
        "profile_id": profile,
        "script_name": system["script_name"],
        "status": health.get("status"),
        "api_latency_avg_ms": average if average is not None else health.get("api_latency_avg_ms"),
        "api_latency_p50_ms": system["p50"],
        "api_latency_p95_ms": system["p95"],
        "api_latency_p99_ms": system["p99"],
        "sample_count": system["samples"],
        "rate_limit_remaining": health.get("rate_limit_remaining"),
        "rate_limit_limit": health.get("rate_limit_limit"),
        "error_count": health.get("error_count", 0),
        "warning_count": health.get("warning_count", 0),
        "last_seen": last_seen,
        "stale": last_seen < stale_before,
    }


@blueprint.get("/api/v1/trades/<profile_id>")
@access(Role.READ)
@from_other_origins
@blueprint.arguments(ClosedTradesQuery, location="query")
def list_closed_trades(query: dict[str, Any], profile_id: str) -> Response:
    """Closed trades entered in the window, newest entry first, as a bare array.

    X-Next-Cursor holds the cursor of the next page, and is absent on the last one.
    """
    profile, since, limit = _profile(profile_id), _since(query["days"]), query["limit"]
    before = query["cursor"]
    if before is not None and not (before[1].isascii() and before[1].isdigit() and len(before[1]) < 19):
        raise Invalid("The cursor is not of this list.", details=[Detail("cursor", "INVALID", "not of this list")])
    _refresh_alerts(profile, since)
    page = reads.select_performance_rows(
        services().pool, profile_id=profile, since=since, symbol=query["symbol"], before=before, limit=limit + 1
    )
    headers = {}
    if len(page) > limit:
        headers["X-Next-Cursor"] = cursor(page[limit - 1]["entry_time"], page[limit - 1]["id"])
    return answer(page[:limit], headers=headers)


@blueprint.get("/api/v1/trades/<profile_id>/performance")
@access(Role.READ)
@from_other_origins
@blueprint.arguments(MonthQuery, location="query")
def show_performance(query: dict[str, Any], profile_id: str) -> Response:
    """The report of all closed trades entered in the window, recorded by scripts and completed by alerts alike.

    Rates in percent, money in currency, Sharpe and Sortino per trade, intervals at 95% (Wilson's and Student's).
    """
    return answer(performance_report(_profile(profile_id), query["days"]))


def performance_report(profile: int, days: int) -> dict[str, Any]:
    """The answer of `/api/v1/trades/<profile_id>/performance`."""
    since = _since(days)
    _refresh_alerts(profile, since)
    sums = reads.select_performance(services().pool, profile_id=profile, since=since)
    return {"profile_id": profile, "days": days, **formulas.performance(sums)}


def _refresh_alerts(profile: int, since: datetime) -> None:
    here = services()
    alert_trades.refresh(here.pool, dict(here.settings.strategy_profiles), profile_id=profile, since=since)


def _since(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def _profile(text: str) -> int:
    """The number of a profile. Raises Invalid for anything else."""
    if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_PROFILE:
        return int(text)
    wanted = f"must be a whole number from 0 to {MAX_PROFILE}"
    raise Invalid(f"profile_id {wanted}.", details=[Detail("profile_id", "INVALID", wanted)])
