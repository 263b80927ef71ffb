"""Trades: the list with its filters, and one trade from its first alert to its last."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from flask import Response, request
from marshmallow import fields, validate

from dashboard import formats
from dashboard.filters import arguments, choices
from dashboard.forms import all_but
from dashboard.pages import blueprint, fragment, page
from database import analysis, summaries
from handlers.middleware.access import Role, access
from handlers.money import with_money
from handlers.queries import AsOfQuery, TradesQuery
from handlers.services import services
from handlers.trades import find_trade, page_cursor
from state import jsontext
from state import trade as trades
from state.analysis import unrealised_r
from state.anomalies import ANOMALIES
from state.event import SignalEvent
from state.evidence import evidence
from state.lifecycle import OPEN_STATUSES
from state.position import PositionTrade
from state.r_multiple import target_multiples
from state.vocabulary import ENTRY

PAGE: Final = 100
MOST_OFFSET: Final = 20_000
#: orders of the list: (name in the address, heading)
ORDERS: Final = ("time", "r", "mfe", "mae", "duration", "events")


class ListQuery(TradesQuery):
    """Filters, and the order of the list."""

    sort = fields.String(load_default="time", validate=validate.OneOf(ORDERS))
    up = fields.Boolean(load_default=False)
    offset = fields.Integer(load_default=0, validate=validate.Range(0, MOST_OFFSET))


@blueprint.get("/trades")
@access(Role.READ)
def list_trades() -> Response:
    """The list: newest first by a cursor, or ordered by a figure."""
    query = arguments(ListQuery())
    pool, by_time = services().pool, query["sort"] == "time" and not query["up"]
    if by_time:
        rows = summaries.select_trades(pool, filters=query, before=query["cursor"], limit=PAGE + 1)
        found = [row.trade for row in rows[:PAGE]]
        more = {"cursor": page_cursor(rows, PAGE)} if len(rows) > PAGE else None
    else:
        found = analysis.select_trades_by(
            pool, column=query["sort"], ascending=query["up"], filters=query, offset=query["offset"], limit=PAGE + 1
        )
        more = {"offset": query["offset"] + PAGE} if len(found) > PAGE else None
        found = found[:PAGE]
    return page(
        "trades.html",
        trades=found,
        more=more and {**all_but("cursor", "offset"), **more},
        first=not all_but("sort", "up") or not (query["cursor"] or query["offset"]),
        back=all_but("cursor", "offset"),
        unsorted=all_but("cursor", "offset", "sort", "up"),
        sort=query["sort"],
        up=query["up"],
        any_alert=bool(found) or analysis.any_alert(pool),
        **choices(),
    )


@blueprint.get("/trades/<path:trade_id>")
@access(Role.READ)
def show_trade(trade_id: str) -> Response:
    """One trade: facts, path, timeline."""
    query = arguments(AsOfQuery())
    whole = find_trade(trade_id, as_of=None, known_at=None)
    return page("trade.html", trade_id=trade_id, moments=_moments(whole), **_state(whole, query))


@blueprint.get("/trade-state")
@access(Role.READ)
def show_trade_state() -> Response:
    """The trade as it was at a time, for the slider."""
    query = arguments(AsOfQuery())
    trade_id = request.args.get("trade_id", "")
    return fragment(
        "trade_state.html", trade_id=trade_id, **_state(find_trade(trade_id, as_of=None, known_at=None), query)
    )


def _moments(trade: trades.Trade) -> list[datetime]:
    return sorted({event.event_timestamp for event in trade.events})


def _state(whole: trades.Trade, query: dict[str, Any]) -> dict[str, Any]:
    trade = whole
    if query["as_of"] is not None or query["known_at"] is not None:
        trade = find_trade(whole.trade_id, as_of=query["as_of"], known_at=query["known_at"])
    priced = [event for event in trade.events if event.current_price is not None]
    newest = max(priced, key=lambda event: event.event_timestamp) if priced and trade.status in OPEN_STATUSES else None
    return {
        "trade": trade,
        "newest": newest,
        "open_r": unrealised_r(trade.as_dict(), newest.current_price) if newest else None,
        "position": trade if isinstance(trade, PositionTrade) else None,
        "money": with_money(trade.as_dict()),
        "timeline": [_moment(event) for event in trade.events],
        "anomalies": [(code, ANOMALIES.get(code, "")) for code in trade.anomalies],
        "path": _path(trade),
        "partial": len(trade.events) < len(whole.events),
    }


def _moment(event: SignalEvent) -> dict[str, Any]:
    body = event.telemetry if event.telemetry is not None else event.legacy_payload
    facts = evidence(event)
    told = (
        (facts.entry_price if facts.event_type == ENTRY else None, "at {}", formats.price),
        (facts.exit_price, "at {}", formats.price),
        (facts.no_be_mfe, "MFE {}", formats.r_plain),
        (facts.be_mfe if facts.be_mfe != facts.no_be_mfe else None, "MFE with break-even {}", formats.r_plain),
        (facts.mae, "MAE {}", formats.r_plain),
        (event.current_price, "price {}", formats.price),
        (facts.exit_reason, "{}", str),
    )
    return {
        "event": event,
        "facts": facts,
        "told": [text.format(form(value)) for value, text, form in told if value is not None],
        "body": jsontext.dump(body or {}, indent=2),
    }


def _path(trade: trades.Trade) -> dict[str, Any]:
    """The MFE path: R by time for each leg, with the levels that matter."""
    told = [evidence(event) for event in trade.events]
    rows = [item for item in told if item.excursions or item.mae is not None]
    multiples = target_multiples(trade.targets, trade.entry_price, trade.risk_distance, trade.direction)
    return {
        "at": [item.at for item in rows],
        "mfe": [item.mfe for item in rows],
        "be_mfe": [item.be_mfe for item in rows],
        "no_be_mfe": [item.no_be_mfe for item in rows],
        "mae": [None if item.mae is None else -abs(item.mae) for item in rows],
        "targets": list(multiples[:8]),
        "entry": trade.entry_time,
        "exit": trade.exit_time,
        "realized_r": trade.realized_r,
        "stop": Decimal(-1),
    }
