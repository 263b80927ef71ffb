"""Tolerant reading of single values: what a stored alert may hold, or None. Nothing here raises on junk.

The store also holds rows of the older system, whose bodies were never validated, so every value is
judged again when a trade is rebuilt. The bounds are those that new alerts must meet.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from state.jsontext import MAX_DIGITS, MAX_EXPONENT

PRICE_LIMIT: Final = Decimal("1e12")
R_LIMIT: Final = Decimal("1e6")
#: a number of MAX_DIGITS digits behind its point, written with the smallest exponent
_MIN_EXPONENT: Final = -MAX_DIGITS - MAX_EXPONENT
_MAX_BITS: Final = 256
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def utc(instant: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for a datetime without an offset."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(UTC)


def _decimal(value: object) -> Decimal | None:
    """`value` as a Decimal when it is a number or the plain text of one, bounds not yet judged."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(value) if value.bit_length() <= _MAX_BITS else None
    if isinstance(value, float):
        return Decimal(repr(value)) if isfinite(value) else None
    if isinstance(value, str) and len(value) <= 2 * MAX_DIGITS + 8:
        bare = value.strip(" ")
        return Decimal(bare) if _NUMBER.fullmatch(bare) else None
    return None


def number(value: object) -> Decimal | None:
    """A finite Decimal of at most 64 digits, or None. A bool is no number; plain decimal text is one."""
    found = _decimal(value)
    if found is None or not found.is_finite():
        return None
    written = str(found)
    if len(written) <= MAX_DIGITS and "E" not in written:  # within all bounds, and cheaper to see
        return found
    _, digits, exponent = found.as_tuple()
    small = isinstance(exponent, int) and _MIN_EXPONENT <= exponent <= MAX_EXPONENT
    return found if small and len(digits) <= MAX_DIGITS else None


def price(value: object) -> Decimal | None:
    """A price in the symbol's own units: above 0 and below 1e12, or None. Older senders write 0 for "none"."""
    found = number(value)
    return found if found is not None and 0 < found < PRICE_LIMIT else None


def r_multiple(value: object) -> Decimal | None:
    """A signed R multiple of magnitude below 1e6, or None. 0 is a value."""
    found = number(value)
    return found if found is not None and -R_LIMIT < found < R_LIMIT else None


def text(value: object) -> str | None:
    """Text without blanks around it, a whole number as its digits, or None when there is nothing to read."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _MAX_BITS:
        return str(value)
    return None


def mapping(value: object) -> Mapping[str, Any] | None:
    """A JSON object with something in it, or None."""
    return value if isinstance(value, Mapping) and value else None


def plain(value: Any) -> Any:
    """`value` in plain JSON types: dict, list, str, int, bool, Decimal, None; instants as ISO 8601 in UTC."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return utc(value).isoformat()
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, float):
        return Decimal(repr(value)) if isfinite(value) else None
    return value
