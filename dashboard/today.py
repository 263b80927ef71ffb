"""Today: how the period went against the one before, what is open, what comes in, and whether all is well."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import marshmallow as ma
from flask import Response, request, url_for
from marshmallow import fields, validate

from dashboard.filters import arguments
from dashboard.kept import kept_until_an_alert
from dashboard.lights import control_plane
from dashboard.pages import blueprint, fragment, page
from database import analysis, intake, quarantine, signals, summaries
from handlers.middleware.access import Role, access
from handlers.services import services
from state.analysis import change, period_figures, thinned, unrealised_r
from state.event import SignalEvent
from state.lifecycle import OPEN_STATUSES

PERIODS: Final = (1, 7, 30, 90, 365)
MOST_POINTS: Final = 600
#: open trades of which the unrealised result is reckoned, and of which a row is shown
MOST_OPEN: Final = 500
LISTED_OPEN: Final = 40
FEED_LENGTH: Final = 24
#: figures of the strip: (name, label, format, better when higher, name of its sample size)
FIGURES: Final = (
    ("net_r", "Net result", "r", True, "n"),
    ("win_rate", "Win rate", "pct", True, "win_rate_n"),
    ("profit_factor", "Profit factor", "ratio", True, "profit_factor_n"),
    ("expectancy_r", "Expectancy", "r", True, "expectancy_n"),
    ("max_drawdown_r", "Max drawdown", "r_plain", False, "max_drawdown_n"),
    ("current_drawdown_r", "Current drawdown", "r_plain", False, "n"),
)


class TodayQuery(ma.Schema):
    """Which period."""

    days = fields.Integer(load_default=30, validate=validate.OneOf(PERIODS))


@blueprint.get("")
@access(Role.READ)
def show_today() -> Response:
    """The page."""
    query = arguments(TodayQuery())
    return page("today.html", periods=PERIODS, example=_example(), **_period(query["days"]))


@blueprint.get("/today/figures")
@access(Role.READ)
def show_figures() -> Response:
    """The strip, the curve and the open trades, again."""
    return fragment("today_figures.html", **_period(arguments(TodayQuery())["days"]))


@blueprint.get("/today/feed")
@access(Role.READ)
def show_feed() -> Response:
    """The newest alerts: accepted, repeated, quarantined, refused."""
    return fragment("today_feed.html", items=feed(FEED_LENGTH))


@blueprint.get("/today/state")
@access(Role.READ)
def show_state() -> Response:
    """The traffic light and the last alert of each strategy."""
    pool = services().pool
    strategies = kept_until_an_alert("strategies", lambda: analysis.select_last_by_strategy(pool))
    return fragment("today_state.html", lights=control_plane(), strategies=strategies)


def _period(days: int) -> dict[str, Any]:
    return kept_until_an_alert(f"period {days}", lambda: _read_period(days))


def _read_period(days: int) -> dict[str, Any]:
    pool, now = services().pool, datetime.now(UTC)
    since, before = now - timedelta(days=days), now - timedelta(days=2 * days)
    period, curve, earlier = analysis.select_periods(pool, before=before, since=since)
    current = period_figures(period.sample, period.current_drawdown)
    previous = period_figures(earlier.sample, earlier.current_drawdown)
    open_trades = _open_trades()
    thin = thinned(curve, MOST_POINTS)
    known = [trade["open_r"] for trade in open_trades if trade["open_r"] is not None]
    open_r = sum(known, Decimal(0)) if known else None
    return {
        "days": days,
        "figures": [_figure(current, previous, *row) for row in FIGURES],
        "current": current,
        "open_trades": open_trades[:LISTED_OPEN],
        "open_count": len(open_trades) if len(open_trades) < MOST_OPEN else analysis.count_open(pool),
        "open_r": open_r,
        "open_priced": len(known),
        "chart": {
            "at": [point.at for point in thin],
            "equity": [point.equity for point in thin],
            "underwater": [point.underwater for point in thin],
            "open_r": open_r,
            "n": len(curve),
        },
        "any_alert": bool(curve) or bool(open_trades) or analysis.any_alert(pool),
    }


def _figure(
    current: Mapping[str, Any],
    previous: Mapping[str, Any],
    name: str,
    label: str,
    form: str,
    higher: bool,
    size: str,
) -> dict[str, Any]:
    difference = change(current, previous, name)
    better = None if not difference else (difference > 0) == higher
    return {
        "label": label,
        "form": form,
        "value": current[name],
        "n": current[size],
        "before": previous[name],
        "change": difference,
        "better": better,
        "signed": name in ("net_r", "expectancy_r"),
    }


def _open_trades() -> list[dict[str, Any]]:
    """Trades that hold a position, with what they would make at the newest price told: unrealised, in R."""
    pool = services().pool
    filters = {"status": sorted(OPEN_STATUSES)}
    rows = [row.trade for row in summaries.select_trades(pool, filters=filters, before=None, limit=MOST_OPEN)]
    prices = analysis.select_last_prices(pool, [row["trade_id"] for row in rows])
    for row in rows:
        told = prices.get(row["trade_id"])
        row["last_price"], row["priced_at"] = told or (None, None)
        row["open_r"] = unrealised_r(row, row["last_price"])
    return rows


def feed(length: int) -> list[dict[str, Any]]:
    """The newest deliveries of the last 24 hours, newest first, whatever became of them."""
    pool, since = services().pool, datetime.now(UTC) - timedelta(hours=24)
    accepted = [_accepted(event) for event in signals.select_recent_events(pool, since=since, limit=length)]
    receipts = [
        {
            "at": row.received_at,
            "kind": {"repeat": "duplicate"}.get(row.kind, row.kind),
            "trade_id": row.trade_id,
            "what": None,
            "why": row.code,
        }
        for row in intake.select_receipts(pool, kind=None, since=since, before=None, limit=length)
    ]
    filters = {"state": None, "reason": None, "version": None, "since": since, "until": None}
    held = [
        {"at": row.received_at, "kind": "quarantined", "quarantine_id": row.id, "what": row.reason, "why": row.message}
        for row in quarantine.select_page(pool, before=None, limit=length, **filters)
    ]
    return sorted([*accepted, *receipts, *held], key=lambda item: item["at"], reverse=True)[:length]


def _accepted(event: SignalEvent) -> dict[str, Any]:
    warnings = "; ".join(warning.message for warning in event.warnings)
    return {
        "at": event.received_at,
        "kind": "accepted",
        "trade_id": event.trade_id,
        "what": event.event_type,
        "symbol": event.symbol,
        "strategy": event.strategy_name or event.strategy_id,
        "why": warnings or None,
    }


def _example() -> str:
    """The curl line of the first start."""
    secret = "/<your webhook secret>" if services().settings.webhook_secrets else ""
    address = url_for("dashboard.show_today", _external=True).removesuffix("/dashboard")
    body = '{"trade_id": "MY-FIRST", "event_type": "ENTRY", "direction": "LONG", "entry_price": 100, "stop_loss": 99}'
    return f"curl -X POST {address or request.host_url}/api/automated-signals/webhook{secret} -d '{body}'"
