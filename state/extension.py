"""A running trade whose state is known goes on by MFE updates without its earlier events.

Most alerts of a long trade only say how far it has gone. What such an alert can change is little: the fold of all
events need not be made again for it. Wherever anything else could follow (an exit, an entry, a late arrival, a fact
told for the first time, something odd), the answer is None and the whole trade is folded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from state.event import SignalEvent
from state.evidence import Evidence, in_order
from state.lifecycle import OPEN_STATUSES
from state.trade import Trade
from state.vocabulary import MFE_UPDATE

_FIELDS: Final = frozenset(item.name for item in fields(Trade)) - {"events"}
_TIMES: Final = ("entry_time", "exit_time", "first_event_time", "last_event_time")
_NUMBERS: Final = (
    "entry_price", "stop_loss", "exit_price", "risk_distance", "duration_seconds", "current_mfe", "max_mfe", "be_mfe",
    "no_be_mfe", "mae", "final_mfe", "realized_r",
)  # fmt: skip
#: What a trade takes from whichever event tells it first.
_FACTS: Final = (
    "symbol", "strategy_id", "timeframe", "session", "bias", "targets", "setup", "entry_price", "stop_loss",
    "risk_distance", "direction",
)  # fmt: skip


def restored(told: Mapping[str, Any]) -> Trade | None:
    """The trade, without its events, of which `Trade.as_dict` gave this; None when its fields are not a trade's."""
    if told.keys() != _FIELDS:
        return None
    values = dict(told)
    for name in _TIMES:
        values[name] = None if told[name] is None else datetime.fromisoformat(told[name])
    for name in _NUMBERS:
        values[name] = None if told[name] is None else Decimal(told[name])
    return Trade(**{**values, "anomalies": tuple(told["anomalies"])}, events=())


def extended(trade: Trade, events: Iterable[SignalEvent]) -> Trade | None:
    """The trade that its events and these, which are not among them, make; None when only a fold of all can tell.

    The answer's `events` are the new ones alone, in order. Raises ValueError as `state.trade.fold` does.
    """
    if trade.status not in OPEN_STATUSES or trade.last_event_time is None:
        return None
    ordered = in_order(events)
    if not ordered or not all(_only_moves(trade, item) for item in ordered):
        return None
    changed = trade
    for item in ordered:
        changed = _moved(changed, item)
    return replace(
        changed,
        event_count=trade.event_count + len(ordered),
        last_event_time=ordered[-1].at,
        events=tuple(item.event for item in ordered),
    )


def _only_moves(trade: Trade, item: Evidence) -> bool:
    """Whether the event comes after all others and can change nothing but how far the trade has gone."""
    if item.event_type != MFE_UPDATE or trade.last_event_time is None or item.at <= trade.last_event_time:
        return False
    if any(getattr(trade, name) is None and getattr(item, name) is not None for name in _FACTS):
        return False
    # a trade without a strategy's name goes by its id: then a name would be the first one told
    named = item.strategy_name in (None, trade.strategy) or trade.strategy not in (None, trade.strategy_id)
    agrees = item.direction in (None, trade.direction)
    return named and agrees and (item.symbol is None or _bare(item.symbol) == _bare(trade.symbol or ""))


def _bare(symbol: str) -> str:
    return symbol.rpartition(":")[2].upper()


def _moved(trade: Trade, item: Evidence) -> Trade:
    newest = next((told for told in (item.mfe, item.no_be_mfe, item.be_mfe) if told is not None), None)
    market = item.market_state
    return replace(
        trade,
        current_mfe=trade.current_mfe if newest is None else newest,
        max_mfe=_largest(trade.max_mfe, *item.excursions),
        be_mfe=_largest(trade.be_mfe, item.be_mfe),
        no_be_mfe=_largest(trade.no_be_mfe, item.no_be_mfe),
        mae=_adverse(trade.mae, item.mae),
        market_state=trade.market_state if market is None else {**trade.market_state, "latest": market},
    )


def _largest(*told: Decimal | None) -> Decimal | None:
    return max((value for value in told if value is not None), default=None)


def _adverse(*told: Decimal | None) -> Decimal | None:
    known = (value for value in told if value is not None)
    return max(known, key=lambda value: (value.copy_abs(), value < 0), default=None)
