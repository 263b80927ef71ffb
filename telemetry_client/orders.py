"""A decorator for functions that place orders: it times them and records the order they made."""

from __future__ import annotations

import enum
import functools
import inspect
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

Call = TypeVar("Call", bound=Callable[..., Any])

STATUSES = frozenset({"pending", "partially_filled", "filled", "canceled", "expired", "converted", "rejected"})
_FIELDS = ("symbol", "order_type", "side", "quantity", "limit_price", "order_id")
_RESULTS = ("order_id", "filled_price", "filled_quantity", "slippage")


def track_order(
    record: Callable[..., None], profile_id: int, script_name: str | None, told: dict[str, Any]
) -> Callable[[Call], Call]:
    """Record each call as an order with the time that the call took, awaited or not, as its API latency.

    symbol, order_type, side, quantity and limit_price are those given to the decorator, or else the arguments of the
    same names. The function's result, a dict or an object, may tell order_id (or id), status, filled_price,
    filled_quantity and slippage. Without a status the order is pending; when the call fails it is rejected, and the
    failure goes on to the caller.
    """

    def decorate(place: Call) -> Call:
        signature = inspect.signature(place)

        def note(started: float, args: Any, kwargs: dict[str, Any], result: Any, status: str) -> None:
            took = (time.perf_counter() - started) * 1000
            told_before = {"script_name": script_name, "api_latency_ms": took, "status": status, **told}
            record(profile_id, **{**_arguments(signature, args, kwargs), **told_before, **_results(result)})

        @functools.wraps(place)
        def placed(*args: Any, **kwargs: Any) -> Any:
            started, result, status = time.perf_counter(), None, "rejected"
            try:
                result = place(*args, **kwargs)
                status = "pending"
                return result
            finally:
                note(started, args, kwargs, result, status)

        @functools.wraps(place)
        async def placed_later(*args: Any, **kwargs: Any) -> Any:
            started, result, status = time.perf_counter(), None, "rejected"
            try:
                result = await place(*args, **kwargs)
                status = "pending"
                return result
            finally:
                note(started, args, kwargs, result, status)

        return cast(Call, placed_later if inspect.iscoroutinefunction(place) else placed)

    return decorate


def _arguments(signature: inspect.Signature, args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """What the arguments of a call tell of its order."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    return {name: bound.arguments[name] for name in _FIELDS if bound.arguments.get(name) is not None}


def _results(result: Any) -> dict[str, Any]:
    """What the result of a call tells of its order."""
    fields = {name: _part(result, name) for name in _RESULTS}
    if fields["order_id"] is None:
        fields["order_id"] = _part(result, "id")
    if fields["order_id"] is not None:
        fields["order_id"] = _text(fields["order_id"])
    status = _text(_part(result, "status")).lower()
    fields["status"] = {"cancelled": "canceled"}.get(status, status if status in STATUSES else None)
    return {name: value for name, value in fields.items() if value is not None}


def _part(result: Any, name: str) -> Any:
    try:
        return result.get(name) if isinstance(result, dict) else getattr(result, name, None)
    except Exception:  # noqa: BLE001 - the broker's own object; the order is placed, and no record may undo that
        return None


def _text(value: Any) -> str:
    """A value as text, an Enum by what it stands for."""
    try:
        return str(value.value if isinstance(value, enum.Enum) else value)
    except Exception:  # noqa: BLE001 - as above
        return ""
