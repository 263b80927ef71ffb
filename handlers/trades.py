"""Trades, rebuilt from their events, and the statistics over them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import marshmallow as ma
from flask import Response

from database import position_streams, renderings, signals, summaries
from database.summaries import Listed
from errors import NotFound
from handlers.aside import aside
from handlers.blueprint import Blueprint
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.money import as_listed, with_money
from handlers.queries import AsOfQuery, TradeFilters, TradesQuery, cursor
from handlers.services import services
from state import jsontext
from state import trade as trades
from state.event import SignalEvent
from state.position import STREAM_PREFIX, stream_of, trades_of
from state.shown import event_as_dict
from state.statistics import measured

blueprint = Blueprint("trades", __name__, description="Trades rebuilt from their events.")


@blueprint.get("/api/automated-signals/trade/<trade_id>")
@access(Role.READ)
@blueprint.arguments(AsOfQuery, location="query")
def show_trade(query: dict[str, Any], trade_id: str) -> Response:
    """One trade with its events.

    `as_of` shows the trade as it was at a time (by the events' own times), `known_at` as it was known at a time (by
    receipt); a date stands for the end of that New York day. A stream's id shows its newest trade.
    """
    if query["as_of"] is None and query["known_at"] is None:
        shown = renderings.select_trade(services().pool, trade_id)
        if shown is not None:
            return Response(shown, mimetype="application/json")
    trade = find_trade(trade_id, as_of=query["as_of"], known_at=query["known_at"])
    return answer(
        {"success": True, "trade": with_money(trade.as_dict()), "events": [event_as_dict(e) for e in trade.events]}
    )


def find_trade(trade_id: str, *, as_of: datetime | None, known_at: datetime | None) -> trades.Trade:
    """The trade of this id, or a stream's newest one, as it was or was known then. Raises NotFound."""
    events: Sequence[SignalEvent]
    start = None
    if as_of is None and known_at is None and trade_id.startswith(STREAM_PREFIX):
        events, start = position_streams.select_events_of(services().pool, trade_id)
    else:
        events = signals.select_events_of(services().pool, trade_id)
    if as_of is not None:
        events = trades.as_of(events, as_of)
    if known_at is not None:
        events = trades.known_at(events, known_at)
    found, _ = aside(lambda: trades_of(events, start))
    trade = next((one for one in found if one.trade_id == trade_id), found[-1] if found else None)
    if trade is None or (trade.trade_id != trade_id and stream_of(trade_id) is not None):
        raise NotFound("trade_not_found", code="TRADE_NOT_FOUND")
    return trade


@blueprint.get("/api/automated-signals/trades")
@access(Role.READ)
@blueprint.arguments(TradesQuery, location="query")
def list_trades(query: dict[str, Any]) -> Response:
    """Trades, newest first, by status, direction, session, symbol, strategy and time."""
    limit = query["limit"]
    page = summaries.select_trades(services().pool, filters=query, before=query["cursor"], limit=limit + 1)
    return answer(
        {
            "success": True,
            "items": jsontext.written_list(as_listed(trade) for trade in page[:limit]),
            "next_cursor": page_cursor(page, limit),
        }
    )


def page_cursor(page: Sequence[Listed], limit: int) -> str | None:
    """Where a list of trades goes on after `limit` of them, None when it does not."""
    return cursor(page[limit - 1].trade_time, page[limit - 1].trade_id) if len(page) > limit else None


class RecentQuery(ma.Schema):
    """How many of the newest alerts."""

    limit = ma.fields.Integer(load_default=100, validate=ma.validate.Range(1, 1000))
    hours = ma.fields.Integer(load_default=24, validate=ma.validate.Range(1, 24 * 31))


@blueprint.get("/api/automated-signals/recent")
@access(Role.READ)
@blueprint.arguments(RecentQuery, location="query")
def list_recent(query: dict[str, Any]) -> Response:
    """The newest alerts of the last 24 hours (or `hours`), newest first."""
    since = datetime.now(UTC) - timedelta(hours=query["hours"])
    events = signals.select_recent_events(services().pool, since=since, limit=query["limit"])
    return answer({"success": True, "items": [event_as_dict(event) for event in events], "next_cursor": None})


@blueprint.get("/api/automated-signals/stats")
@access(Role.READ)
@blueprint.arguments(TradeFilters, location="query")
def show_stats(query: dict[str, Any]) -> Response:
    """Statistics over all trades, or those that pass the filters; null where there is nothing to measure."""
    return answer({"success": True, "stats": stats_of(query), "timestamp": datetime.now(UTC)})


@blueprint.get("/api/automated-signals/stats-live")
@access(Role.READ)
@blueprint.arguments(TradeFilters, location="query")
def show_live_stats(query: dict[str, Any]) -> Response:
    """The statistics of this moment, never taken from a cache on the way."""
    live = {"success": True, "stats": stats_of(query), "timestamp": datetime.now(UTC)}
    return answer(live, headers={"Cache-Control": "no-store"})


def stats_of(filters: dict[str, Any]) -> dict[str, Any]:
    """The statistics of the trades that pass."""
    return measured(summaries.select_overview(services().pool, filters=filters).sample)
