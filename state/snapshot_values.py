"""How single values of a posted snapshot are read: days, instants, texts, objects and lists.

What is not what it should be is noted as a Drop where the rest can still be used.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytz

from errors import Detail, Invalid
from state.jsontext import plain as digits
from state.snapshot import Drop
from state.values import number

MAX_NAME: Final = 200

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS: Final = range(1970, 2201)

Localise = Callable[[datetime], datetime]


def read_day(value: object) -> date | None:
    """A real calendar date written as 2026-02-11, or None."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def read_instant(value: object, localise: Localise | None = None) -> datetime | None:
    """An aware instant in UTC from ISO 8601 text or from seconds or milliseconds since 1970, or None.

    Text without an offset is read by `localise`, and is nothing without one.
    """
    try:
        if isinstance(value, str):
            text = value.strip()
            instant = datetime.fromisoformat(text) if text[4:5] == "-" and text[5:6] != "W" else None
            if instant is not None and instant.tzinfo is None:
                instant = localise(instant) if localise else None
        else:
            instant = _from_epoch(number(value))
        if instant is not None and instant.tzinfo is not UTC:
            instant = instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant if instant is not None and instant.year in _YEARS else None


def _from_epoch(told: Decimal | None) -> datetime | None:
    if told is None:
        return None
    if 10**9 <= told < 10**10:
        return _EPOCH + timedelta(microseconds=int(told * 10**6))
    if 10**12 <= told < 10**13:
        return _EPOCH + timedelta(microseconds=int(told * 10**3))
    return None


def localiser(zone: pytz.BaseTzInfo) -> Localise:
    """How a zone reads a wall clock; of an hour that comes twice it is the second."""

    def localise(wall: datetime) -> datetime:
        return zone.localize(wall, is_dst=False)

    return localise


def fail(field: str, message: str, code: str = "INVALID") -> Invalid:
    return Invalid(f"{field}: {message}", code="INVALID_SNAPSHOT", details=[Detail(field, code, message)])


def text_of(value: object) -> str | None:
    """Text without blank ends, a number as its digits, or None for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return digits(Decimal(value)) if isinstance(value, Decimal) else str(value)


def first(item: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        if (value := item.get(name)) is not None:
            return value
    return None


def first_text(item: Mapping[str, Any], *names: str) -> str:
    return next((text for name in names if (text := text_of(item.get(name)))), "")


def as_object(value: Any, path: str, drops: list[Drop]) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        drops.append(Drop(path, "not an object"))
    return value if isinstance(value, Mapping) else {}


def note_unknown(item: Mapping[str, Any], known: frozenset[str], path: str, drops: list[Drop]) -> None:
    if not item.keys() <= known:
        drops += [Drop(f"{path}{name[:MAX_NAME]}", "unknown field") for name in item if name not in known]


def first_list(item: Mapping[str, Any], names: tuple[str, str], path: str, drops: list[Drop]) -> tuple[str, list[Any]]:
    """The first of two names that holds a list with something in it: (its path, the list)."""
    found: tuple[str, list[Any]] | None = None
    for name in names:
        value = item.get(name)
        if isinstance(value, list):
            if found is None or (value and not found[1]):
                found = f"{path}{name}", value
            elif value:
                drops.append(Drop(f"{path}{name}", f"{found[0]} is read instead"))
        elif value is not None:
            drops.append(Drop(f"{path}{name}", "not a list"))
    return found or (f"{path}{names[0]}", [])


def objects(listed: list[Any], path: str, drops: list[Drop]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a list, each with its path."""
    for index, item in enumerate(listed):
        here = f"{path}[{index}]"
        if isinstance(item, Mapping):
            yield here, item
        else:
            drops.append(Drop(here, "not an object"))
