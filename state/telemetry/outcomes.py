"""The money of one closed trade: profit, its percentage, slippage and duration. Exact but for quotients.

A quotient is rounded half even to 28 significant digits, whatever the caller's context is.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from state.r_multiple import EXACT, RATIO
from state.values import number
from state.vocabulary import BEARISH, BULLISH

LONG: Final = "long"
SHORT: Final = "short"
_MICROSECOND: Final = timedelta(microseconds=1)


def pnl(
    entry_price: Decimal, exit_price: Decimal, quantity: Decimal, multiplier: Decimal = Decimal(1), side: str = LONG
) -> Decimal:
    """Profit in currency: (exit - entry) * quantity * multiplier, negated for a short trade. Exact."""
    gain = EXACT.subtract(exit_price, entry_price)
    if side == SHORT:
        gain = gain.copy_negate() if gain else gain
    return EXACT.multiply(EXACT.multiply(gain, quantity), multiplier)


def pnl_pct(profit: Decimal, entry_price: Decimal, quantity: Decimal, multiplier: Decimal) -> Decimal | None:
    """Profit in percent of what the entry cost (entry * quantity * multiplier); None for an entry at or below 0."""
    cost = EXACT.multiply(EXACT.multiply(entry_price, quantity), multiplier)
    return RATIO.multiply(RATIO.divide(profit, cost), Decimal(100)) if cost > 0 else None


def slippage(entry_price: Decimal, signal_price: Decimal | None, side: str) -> Decimal | None:
    """How much worse than the signal the entry was, as a fraction of the signal's price; below 0 it was better.

    Implementation shortfall of the entry (A. F. Perold, "The Implementation Shortfall", 1988) by price alone.
    """
    if signal_price is None or signal_price <= 0:
        return None
    worse = EXACT.subtract(entry_price, signal_price)
    if side == SHORT:
        worse = EXACT.subtract(signal_price, entry_price)
    return RATIO.divide(worse, signal_price)


def closed_trade(
    *,
    side: str,
    entry_price: Decimal,
    exit_price: Decimal,
    quantity: Decimal,
    multiplier: Decimal,
    signal_price: Decimal | None,
    entry_time: datetime,
    exit_time: datetime,
) -> dict[str, Any]:
    """The columns of a closed trade that its prices and times make. Times are aware, duration is in seconds."""
    profit = pnl(entry_price, exit_price, quantity, multiplier, side)
    return {
        "side": side,
        "entry_price": entry_price,
        "exit_price": exit_price,
        "quantity": quantity,
        "multiplier": multiplier,
        "pnl": profit,
        "pnl_pct": pnl_pct(profit, entry_price, quantity, multiplier),
        "signal_price": signal_price,
        "slippage": slippage(entry_price, signal_price, side),
        "entry_time": entry_time,
        "exit_time": exit_time,
        "duration_seconds": seconds_between(entry_time, exit_time),
    }


def seconds_between(start: datetime, end: datetime) -> Decimal:
    """Seconds from start to end, as `seconds_of`."""
    return seconds_of(end - start)


def seconds_of(span: timedelta) -> Decimal:
    """A length of time in seconds, exact to the microsecond; whole seconds as a whole number."""
    micros = Decimal(span // _MICROSECOND)
    seconds = EXACT.scaleb(micros, -6)
    whole = seconds.to_integral_value()
    return whole if whole == seconds else EXACT.normalize(seconds)


def alert_outcome(trade: Mapping[str, Any], position_size: Decimal | None) -> dict[str, Any] | None:
    """The columns of a completed alert trade (`Trade.as_dict`), or None when its prices or times are not known.

    An exit that tells no price lies where its R multiple puts it: entry + R * risk, or entry - R * risk for a
    Bearish trade. A position size that no alert tells counts as one unit. Both are said in the metadata.
    """
    entry, direction = number(trade["entry_price"]), trade["direction"]
    at_exit = number(trade["exit_price"])
    implied = None if at_exit is not None else _implied_exit(trade)
    final = at_exit if at_exit is not None else implied
    times = trade["entry_time"], trade["exit_time"]
    if entry is None or final is None or direction not in (BULLISH, BEARISH) or None in times:
        return None
    start, end = (datetime.fromisoformat(time) for time in times)
    if end < start:
        return None
    known = position_size is not None and position_size > 0
    columns = closed_trade(
        side=LONG if direction == BULLISH else SHORT,
        entry_price=entry,
        exit_price=final,
        quantity=position_size if known and position_size is not None else Decimal(1),
        multiplier=Decimal(1),
        signal_price=None,
        entry_time=start,
        exit_time=end,
    )
    return {
        "symbol": (trade["symbol"] or "unknown")[:100],
        "trade_type": "alert",
        "direction": direction,
        "exit_reason": trade["exit_reason"],
        "metadata": {
            **{name: trade[name] for name in ("trade_id", "strategy_id", "strategy", "realized_r")},
            "quantity_source": "alert" if known else "one_unit_assumed",
            "exit_price_source": "alert" if implied is None else "realized_r",
        },
        **columns,
    }


def _implied_exit(trade: Mapping[str, Any]) -> Decimal | None:
    entry, risk, result = (number(trade[name]) for name in ("entry_price", "risk_distance", "realized_r"))
    if entry is None or result is None:
        return None
    if result == 0:
        return entry
    if risk is None:
        return None
    move = EXACT.multiply(result, risk)
    return EXACT.add(entry, move) if trade["direction"] == BULLISH else EXACT.subtract(entry, move)
