"""Numbers of an alert: JSON numbers or plain decimal strings, exact, within the limits of their kind."""

import re
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import Any, Final

from handlers.payloads.fields import Fields, Sent, no_number
from handlers.payloads.findings import Findings, shown
from state.jsontext import MAX_DIGITS, MAX_EXPONENT

#: Enough digits for any sum or product of two accepted numbers without rounding.
EXACT: Final = Context(prec=400)

_PLAIN: Final = re.compile(r"[+-]?([0-9]{1,200})(?:\.([0-9]{1,200}))?(?:[eE]([+-]?[0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a number measures and its limits: `low` itself is allowed only when `low_inclusive`."""

    noun: str
    low: Decimal
    high: Decimal
    limits: str
    low_inclusive: bool = False

    def holds(self, number: Decimal) -> bool:
        """True when the number is within the limits."""
        return (self.low < number or (self.low_inclusive and number == self.low)) and number < self.high


PRICE: Final = Kind("a price", Decimal(0), Decimal("1e12"), "more than 0 and less than 1,000,000,000,000")
R_MULTIPLE: Final = Kind("an R multiple", Decimal("-1e6"), Decimal("1e6"), "between -1,000,000 and 1,000,000")
AMOUNT: Final = Kind(
    "an amount", Decimal(0), Decimal("1e12"), "0 or more and less than 1,000,000,000,000", low_inclusive=True
)


def _decimal(value: Any) -> Decimal | None:
    """The value as a Decimal, or None when it is no plain number."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    if not isinstance(value, str):
        return None
    match = _PLAIN.fullmatch(value.strip(" "))
    if match is None or abs(int(match[3] or "0")) > MAX_EXPONENT:
        return None
    return Decimal(match[0])


def _not_a_number(value: Any) -> str:
    hint = "write it as plain digits with a point, such as 20500.25"
    if isinstance(value, str) and "," in value:
        hint = "leave out the thousands separators, such as 20500.25"
    return f"{shown(value)} is not a number: {hint}."


def has_too_many_digits(number: Decimal) -> bool:
    """True when a finite number has more significant digits than we take."""
    return len(str(number)) > MAX_DIGITS and len(number.as_tuple().digits) > MAX_DIGITS


def is_within(value: Any, kind: Kind) -> Decimal | None:
    """The value as a number of its kind, or None when it is no such number."""
    number = _decimal(value)
    return None if number is None or has_too_many_digits(number) or not kind.holds(number) else number


def check(sent: Sent, kind: Kind, findings: Findings) -> Decimal | None:
    """The number at one place, or None with its fault noted: NOT_A_NUMBER, TOO_MANY_DIGITS or OUT_OF_RANGE."""
    number = _decimal(sent.value)
    if number is None:
        findings.wrong(sent.path, "NOT_A_NUMBER", _not_a_number(sent.value))
    elif has_too_many_digits(number):
        findings.wrong(sent.path, "TOO_MANY_DIGITS", f"A number has at most {MAX_DIGITS} significant digits.")
    elif not kind.holds(number):
        message = f"{shown(sent.value)} is out of range: {kind.noun} is {kind.limits}."
        findings.wrong(sent.path, "OUT_OF_RANGE", message)
    else:
        return number
    return None


def read_number(fields: Fields, kind: Kind, *names: str, needed: bool = False) -> Decimal | None:
    """The number under the first of the names that holds one.

    NaN, Infinity, "na" and the like are skipped with a NO_VALUE warning; when nothing else holds the
    number and the event needs it, they are faults instead. A field that was not sent is None.
    """
    first = fields.value(names)
    if first is None:
        return None
    if isinstance(first, int) or (isinstance(first, Decimal) and first.is_finite()):
        plain = is_within(first, kind)
        if plain is not None:
            return plain
    findings = fields.findings
    blanks: list[Sent] = []
    found: Sent | None = None
    for sent in fields.sent(*names):
        if not no_number(sent.value):
            found = sent
            break
        blanks.append(sent)
    for blank in blanks:
        if needed and found is None:
            message = f"{shown(blank.value)} is not a number, and this event needs one here."
            findings.wrong(blank.path, "NOT_A_NUMBER", message)
        else:
            findings.warn_once(blank.path, "NO_VALUE", f"{shown(blank.value)} is not a number and was stored as null.")
    return None if found is None else check(found, kind, findings)


def distance(one: Decimal, other: Decimal) -> Decimal:
    """|one - other|, exact."""
    with localcontext(EXACT):
        return abs(one - other)
