"""When a row of the older system happened, from whichever of its columns tells it best."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

import pytz

from state.newyork import NEW_YORK
from state.values import number

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOW: Final = Decimal(946684800)
_HIGH: Final = Decimal(4133980800)
_WRITTEN: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}")


def time_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """{"event_timestamp", "event_time_source"} of a row with all its columns, or {} when only its receipt is known.

    In this order: the telemetry's own time, the `timestamp` column (epoch seconds or milliseconds, or wall clock),
    New York date and time. A wall clock without an offset is New York's or, where the row's other times lie nearer
    to that, UTC.
    """
    telemetry = row.get("telemetry")
    body = telemetry if isinstance(telemetry, Mapping) else {}
    inner = body.get("attributes")
    own = _written((inner if isinstance(inner, Mapping) else body).get("event_timestamp"))
    wall = _written(f"{row.get('signal_date')}T{row.get('signal_time')}")
    clock = _epoch(row.get("timestamp")) or _clock(row.get("timestamp"), wall or _written(row.get("created_at"), UTC))
    for found, source in ((own, "iso"), (clock, "older_timestamp"), (wall, "new_york")):
        if found is not None and 2000 <= found.year <= 2100:
            return {"event_timestamp": found, "event_time_source": source}
    return {}


def _epoch(value: object) -> datetime | None:
    told = number(value)
    if told is None:
        return None
    scale = 1_000_000 if _LOW <= told < _HIGH else 1_000 if _LOW * 1000 <= told < _HIGH * 1000 else 0
    return _EPOCH + timedelta(microseconds=int(told * scale)) if scale else None


def _clock(value: object, near: datetime | None) -> datetime | None:
    here, there = _written(value), _written(value, UTC)
    if here is None or there is None or near is None:
        return here
    return there if abs(there - near) < abs(here - near) else here


def _written(value: object, zone: tzinfo | None = None) -> datetime | None:
    """The instant of ISO text; without an offset it is in `zone`, New York when that is not given."""
    if not isinstance(value, str) or _WRITTEN.match(value) is None:
        return None
    try:
        told = datetime.fromisoformat(value.strip())
        if told.tzinfo is None:
            told = told.replace(tzinfo=zone) if zone else NEW_YORK.localize(told, is_dst=None)
        return told.astimezone(UTC)
    except pytz.InvalidTimeError:
        return NEW_YORK.normalize(NEW_YORK.localize(told, is_dst=True)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
