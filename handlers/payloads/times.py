"""When an alert's event happened: instants, epochs and wall clocks, right through both DST nights."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any, Final, NamedTuple

import pytz

from handlers.payloads.fields import Fields, Layer, no_time
from handlers.payloads.findings import Findings, shown
from handlers.payloads.numeric import EXACT
from state.event import RECEIVED

NAMES: Final = ("event_timestamp", "timestamp", "time", "bar_time", "timenow")
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_LOW: Final = Decimal(int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()))
_EPOCH_HIGH: Final = Decimal(int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp()))
_DIGITS: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_ISO: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,20})?)?"
    r" ?(?P<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK: Final = re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,20})?)?")
_READABLE: Final = (
    "send ISO 8601 with an offset such as 2025-11-20T14:30:00Z, epoch seconds or milliseconds, "
    "or date and time of New York's clock"
)


class Moment(NamedTuple):
    """An instant (aware, UTC) and what said so: "epoch", "iso", "naive", "new_york" or "received"."""

    instant: datetime
    source: str


class _Unreadable(ValueError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_moment(fields: Fields, naive_zone: str, received_at: datetime, names: tuple[str, ...] = NAMES) -> Moment:
    """The time of the event; the time of receipt when the alert has none of its own.

    The first of `names` that was sent decides; `date` with a clock `time` is New York's wall clock.
    Faults: UNREADABLE_TIME, TIME_OUT_OF_RANGE (outside the years 2000-2100).
    """
    for layer in fields.layers:
        moment = _read_layer(layer, naive_zone, fields.findings, names)
        if moment is not None:
            return moment
    return Moment(received_at, RECEIVED)


def _read_layer(layer: Layer, naive_zone: str, findings: Findings, names: tuple[str, ...]) -> Moment | None:
    values, prefix = layer
    name = ""
    try:
        for name in (*names, "date"):
            value = values.get(name)
            if value is None:
                continue
            if no_time(value):
                findings.warn(prefix + name, "NO_VALUE", f"{shown(value)} is no time and was passed over.")
                continue
            if name == "date":
                raise _Unreadable("UNREADABLE_TIME", "A date alone does not say when: send time beside it.")
            return _in_range(_moment(prefix + name, value, values, naive_zone, findings))
    except _Unreadable as fault:
        findings.wrong(prefix + name, fault.code, str(fault))
        return Moment(_EPOCH, RECEIVED)
    return None


def _moment(path: str, value: Any, values: Mapping[str, Any], naive_zone: str, findings: Findings) -> Moment:
    """The moment that one value says, in the company of the values beside it."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Moment(_epoch(value, value), "epoch")
    text = value.strip() if isinstance(value, str) else ""
    if _DIGITS.fullmatch(text):
        return Moment(_epoch(Decimal(text), value), "epoch")
    day = values.get("date")
    if _CLOCK.fullmatch(text) and isinstance(day, str) and _DATE.fullmatch(day.strip()):
        clock = text.rjust(len(text) + (text.index(":") < 2), "0")
        wall = _wall(f"{day.strip()}T{clock}", f"{day} {text}")
        return Moment(_localize(path, wall, "America/New_York", findings), "new_york")
    match = _ISO.fullmatch(text)
    if match is None:
        raise _Unreadable("UNREADABLE_TIME", f"{shown(value)} is not a time that we can read: {_READABLE}.")
    wall = _wall(f"{text[:10]}T{text[11:].replace(' ', '').upper()}", value)
    if match["offset"]:
        return Moment(wall.astimezone(UTC), "iso")
    message = f"{shown(value)} has no offset and was read as time in {naive_zone}: add Z or an offset to be sure."
    findings.warn(path, "NAIVE_TIMESTAMP", message)
    return Moment(_localize(path, wall, naive_zone, findings), "naive")


def _epoch(number: int | Decimal, value: Any) -> datetime:
    """The instant of epoch seconds or milliseconds, told apart by size; finer than a microsecond is dropped."""
    if _EPOCH_LOW <= number < _EPOCH_HIGH:
        scale = 1_000_000
    elif _EPOCH_LOW * 1000 <= number < _EPOCH_HIGH * 1000:
        scale = 1_000
    else:
        raise _Unreadable(
            "TIME_OUT_OF_RANGE",
            f"{shown(value)} is not epoch seconds or milliseconds of the years {FIRST_YEAR}-{LAST_YEAR}.",
        )
    with localcontext(EXACT):
        return _EPOCH + timedelta(microseconds=int(number * scale))


def _wall(text: str, value: Any) -> datetime:
    """ISO text as a datetime, aware when the text has an offset, in years whose conversion cannot overflow."""
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        raise _Unreadable("UNREADABLE_TIME", f"{shown(value)} is not a time of any day: {_READABLE}.") from None
    if not FIRST_YEAR - 1 <= wall.year <= LAST_YEAR + 1:
        raise _out_of_range(value)
    return wall


def _localize(path: str, wall: datetime, zone_name: str, findings: Findings) -> datetime:
    """The instant of a wall clock: the first of two, and past the gap when the clock skipped it."""
    zone = pytz.timezone(zone_name)
    try:
        local = zone.localize(wall, is_dst=None)
    except pytz.AmbiguousTimeError:
        local = zone.localize(wall, is_dst=True)
        message = f"{wall:%Y-%m-%d %H:%M} came twice that night in {zone_name}; the first was taken."
        findings.warn(path, "AMBIGUOUS_LOCAL_TIME", message)
    except pytz.NonExistentTimeError:
        local = zone.normalize(zone.localize(wall, is_dst=False))
        message = f"{wall:%Y-%m-%d %H:%M} was skipped that night in {zone_name}; {local:%H:%M} was taken."
        findings.warn(path, "NONEXISTENT_LOCAL_TIME", message)
    return local.astimezone(UTC)


def _in_range(moment: Moment) -> Moment:
    if not FIRST_YEAR <= moment.instant.year <= LAST_YEAR:
        raise _out_of_range(moment.instant.isoformat())
    return moment


def _out_of_range(value: Any) -> _Unreadable:
    message = f"{shown(value)} lies outside the years {FIRST_YEAR}-{LAST_YEAR}."
    return _Unreadable("TIME_OUT_OF_RANGE", message)
