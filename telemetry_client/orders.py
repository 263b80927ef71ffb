"""A decorator for functions that place orders: it times them and records the order they made."""

from __future__ import annotations

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
    """Record each call as an order with the time that the call took as its API latency.

    symbol, order_type, side, quantity and limit_price are those given to the decorator, or else the arguments of the
    same names. The function's result, a dict or an object, may tell order_id (or id), status, filled_price,
    filled_quantity and slippage. Without a status the order is pending; when the call fails it is rejected, and the
    failure goes on to the caller.
    """

    def decorate(place: Call) -> Call:
        signature = inspect.signature(place)

        @functools.wraps(place)
        def placed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            result, status = None, "rejected"
            try:
                result = place(*args, **kwargs)
                status = "pending"
                return result
            finally:
                took = (time.perf_counter() - started) * 1000
                fields = _told(signature, args, kwargs, told, result)
                fields["status"] = fields.get("status", status)
                record(profile_id, script_name=script_name, api_latency_ms=took, **fields)

        return cast(Call, placed)

    return decorate


def _told(
    signature: inspect.Signature, args: Any, kwargs: dict[str, Any], told: dict[str, Any], result: Any
) -> dict[str, Any]:
    """What is known of the order after the call; later sources tell more than earlier ones."""
    try:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
    except TypeError:
        given = {}
    fields = {name: given[name] for name in _FIELDS if given.get(name) is not None}
    fields.update(told)
    for name in _RESULTS:
        value = _part(result, name)
        if value is not None:
            fields[name] = value
    if "order_id" not in fields and _part(result, "id") is not None:
        fields["order_id"] = _part(result, "id")
    if "order_id" in fields:
        fields["order_id"] = str(fields["order_id"])
    status = str(_part(result, "status"))
    if status in STATUSES:
        fields["status"] = status
    return fields


def _part(result: Any, name: str) -> Any:
    return result.get(name) if isinstance(result, dict) else getattr(result, name, None)
