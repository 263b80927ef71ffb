"""Exact arithmetic of the levers, and how their sentences show numbers."""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any, Final

from state import jsontext
from state.r_multiple import EXACT, RATIO

#: A level of 95 %, two-sided: the quantile 0.975 of the standard normal distribution.
Z_95: Final = Decimal("1.959963984540054")
_WIDE: Final = Context(prec=400, rounding=ROUND_HALF_EVEN)


def add(*numbers: Decimal) -> Decimal:
    """The exact sum."""
    total = Decimal(0)
    for number in numbers:
        total = EXACT.add(total, number)
    return total


def ratio(fraction: Fraction) -> Decimal:
    """A fraction as a Decimal of at most 28 significant digits, half even."""
    return RATIO.divide(Decimal(fraction.numerator), Decimal(fraction.denominator))


def shown(number: Decimal) -> str:
    """A number as a sentence shows it: plain digits without idle zeros (50000, 0.5)."""
    text = plain_text(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_text(number: Decimal) -> str:
    """Plain digits, never an exponent; minus zero is zero."""
    return format(number if number else abs(number), "f")


def thousandths(number: Decimal) -> str:
    """A number with three places, half even; never -0.000."""
    rounded = number.quantize(Decimal("0.001"), context=_WIDE)
    return plain_text(rounded)


def fingerprint(value: Any) -> str:
    """SHA-256 of plain values: numbers count by value (1 and 1.0 are the same), names in any order."""
    return sha256(jsontext.dump(_by_value(value), sort_keys=True, ascii_only=True).encode()).hexdigest()


def _by_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _by_value(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_by_value(inner) for inner in value]
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return f"\0{Fraction(value)}"  # no text that can be stored reads like this
    return value
