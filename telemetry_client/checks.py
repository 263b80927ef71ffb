"""What a record may hold. Each check returns the sentence of what is wrong, or None."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any


def number(name: str, value: Any) -> str | None:
    """A finite number: int, float or Decimal, or what converts to float (numpy's); never a bool or text."""
    kind = type(value)
    if kind is float:
        # infinity and NaN are the floats that differ from themselves less themselves
        return None if value - value == 0.0 else f"{name} is not finite"
    if kind is int:
        return None
    if kind is Decimal:
        return None if value.is_finite() else f"{name} is not finite"
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        return f"{name} is not a number"
    try:
        return None if math.isfinite(float(value)) else f"{name} is not finite"
    except (TypeError, ValueError, OverflowError):
        return f"{name} is not a number"


def share(name: str, value: Any) -> str | None:
    """A number from 0 to 1."""
    wrong = number(name, value)
    if wrong is None and not 0 <= value <= 1:
        return f"{name} lies outside 0 to 1"
    return wrong


def words(name: str, value: Any) -> str | None:
    """Text with something in it, of at most 100 characters; an Enum of texts is text."""
    if not isinstance(value, str) or not value:
        return f"{name} is not text"
    return None if len(value) <= 100 else f"{name} has more than 100 characters"


def instant(name: str, value: Any) -> str | None:
    """A datetime with a time zone, or the nanoseconds that were taken in its place."""
    if type(value) is int:
        return None
    if not isinstance(value, datetime):
        return f"{name} is not a datetime"
    return None if value.tzinfo is not None and value.utcoffset() is not None else f"{name} has no time zone"


def whole(name: str, value: Any) -> str | None:
    """A whole number from 0."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return f"{name} is not a whole number"
    return None if value >= 0 else f"{name} is below 0"


def positive(name: str, value: Any) -> str | None:
    """A number above 0."""
    return number(name, value) or (None if value > 0 else f"{name} is not above 0")


def not_negative(name: str, value: Any) -> str | None:
    """A number from 0."""
    return number(name, value) or (None if value >= 0 else f"{name} is below 0")


def mapping(name: str, value: Any) -> str | None:
    """A dict."""
    return None if isinstance(value, dict) else f"{name} is not a dict"


Check = Callable[[str, Any], "str | None"]

_ALWAYS: tuple[tuple[str, Check, bool], ...] = (("profile_id", whole, True), ("timestamp", instant, True))
#: Per kind: the name of a field, its check, and whether it must be there.
_FIELDS: dict[str, tuple[tuple[str, Check, bool], ...]] = {
    "breakout_signal": (
        *_ALWAYS,
        ("symbol", words, True),
        ("direction", words, True),
        ("bar_strength", share, True),
        ("close_price", number, True),
        ("candle_size", not_negative, True),
        ("volume", not_negative, True),
        ("metadata", mapping, False),
    ),
    "breakout_outcome": (
        *_ALWAYS,
        ("symbol", words, True),
        ("entry_price", number, True),
        ("exit_price", number, True),
        ("quantity", positive, True),
        ("entry_time", instant, True),
        ("exit_time", instant, True),
        ("bar_strength", share, False),
        ("direction", words, False),
        ("signal_price", number, False),
        ("side", words, False),
        ("multiplier", positive, False),
        ("exit_reason", words, False),
        ("metadata", mapping, False),
    ),
    "equity": (
        *_ALWAYS,
        ("account_equity", number, True),
        ("unrealized_pnl", number, True),
        ("realized_pnl", number, True),
        ("margin_used", not_negative, True),
        ("margin_available", number, True),
        ("open_positions_count", whole, True),
        ("metadata", mapping, False),
    ),
    "order": (
        *_ALWAYS,
        ("symbol", words, True),
        ("order_type", words, True),
        ("side", words, True),
        ("status", words, True),
        ("quantity", not_negative, True),
        ("order_id", words, False),
        ("limit_price", number, False),
        ("filled_price", number, False),
        ("filled_quantity", not_negative, False),
        ("slippage", number, False),
        ("api_latency_ms", not_negative, False),
        ("script_name", words, False),
        ("metadata", mapping, False),
    ),
    "latency": (*_ALWAYS, ("script_name", words, True), ("latency_ms", not_negative, True)),
    "health": (
        *_ALWAYS,
        ("script_name", words, True),
        ("status", words, True),
        ("api_latency_avg_ms", not_negative, False),
        ("api_rate_limit_remaining", whole, False),
        ("api_rate_limit_limit", whole, False),
        ("error_count", whole, True),
        ("warning_count", whole, True),
        ("metadata", mapping, False),
    ),
}


def wrong(record: dict[str, Any]) -> str | None:
    """What is wrong with a record: the first thing found, or None. May raise on values that compare oddly."""
    for name, check, required in _FIELDS[record["kind"]]:
        value = record[name]
        if value is None:
            if required:
                return f"{name} is missing"
        else:
            found = check(name, value)
            if found is not None:
                return found
    if record["kind"] == "breakout_outcome" and record["exit_time"] < record["entry_time"]:
        return "exit_time lies before entry_time"
    return None
