"""From a call's arguments to a line of JSON: all of it happens in the sending thread."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

Record = dict[str, Any]
#: a call as it was noted: its method, when it was made (epoch nanoseconds), and its arguments
NotedCall = tuple[str, int, tuple[Any, ...], dict[str, Any]]
#: what makes a record of the arguments of each method
BUILDS: dict[str, Callable[..., Record]] = {}


def made(call: NotedCall) -> Record:
    """The record that a call tells, at the call's own time unless it names one. Raises what wrong arguments raise."""
    name, taken_at, args, kwargs = call
    record = BUILDS[name](None, *args, **kwargs)
    if record["timestamp"] is None:
        record["timestamp"] = taken_at
    return record


def _plain(value: Any) -> Any:
    """What json cannot write by itself: exact numbers as text, times in ISO 8601, numpy's numbers as Python's."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if hasattr(value, "__index__"):
        return int(value)
    if hasattr(value, "__float__"):
        return float(value)
    return str(value)


def as_line(record: Record) -> str:
    """One record as a line of JSON, without the fields that hold nothing. Raises ValueError or TypeError."""
    told = {name: value for name, value in record.items() if value is not None}
    if isinstance(told["timestamp"], int):  # nanoseconds, taken when the call was made
        told["timestamp"] = (_EPOCH + timedelta(microseconds=told["timestamp"] // 1000)).isoformat()
    return json.dumps(told, default=_plain, allow_nan=False, separators=(",", ":"))
