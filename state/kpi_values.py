"""What a KPI's text says: a number and its kind, or words.

Senders write numbers for people ("-$15,193.99", "72.3%", "5m 2s"). What is not surely a number stays text:
"1,2,3" could be 123 or three numbers, so it is neither.
"""

import re
from decimal import Decimal
from typing import Final

from state.r_multiple import EXACT
from state.values import number

CURRENCY: Final = "currency"
PERCENT: Final = "percent"
DURATION: Final = "duration"
NUMBER: Final = "number"
RATIO: Final = "ratio"
TEXT: Final = "text"
KINDS: Final = (CURRENCY, PERCENT, DURATION, NUMBER, RATIO, TEXT)

_DIGITS: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_SHAPES: Final = (
    (CURRENCY, re.compile(rf"(?P<sign>[+-]?) ?\$ ?(?P<inner>[+-]?)(?P<digits>{_DIGITS})")),
    (PERCENT, re.compile(rf"(?P<sign>[+-]?)(?P<digits>{_DIGITS}) ?%")),
    (RATIO, re.compile(rf"(?P<sign>[+-]?)(?P<digits>{_DIGITS}) ?[xX\u00d7]")),
    (NUMBER, re.compile(rf"(?P<sign>[+-]?)(?P<digits>{_DIGITS})")),
)
_UNIT_SECONDS: Final = (
    ("d", Decimal(86400)),
    ("h", Decimal(3600)),
    ("m", Decimal(60)),
    ("s", Decimal(1)),
    ("ms", Decimal("0.001")),
)
_PLAIN: Final = r"[0-9]{1,18}(?:\.[0-9]{1,18})?"
_DURATION: Final = re.compile(
    "(?P<sign>[+-]?)" + " ?".join(rf"(?:(?P<{unit}>{_PLAIN}) ?{unit}(?![a-z]))?" for unit, _ in _UNIT_SECONDS)
)
#: Longer than any number with its decoration.
_LONGEST: Final = 200
_ALIKE: Final = str.maketrans({"\u2212": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " "})


def parse_value(text: str) -> tuple[Decimal | None, str]:
    """(value_num, value_kind) of a KPI's text.

    currency "-$15,193.99" -15193.99, "($123)" -123; percent "72.3%" 72.3 (percent points); duration "5m 2s" 302
    (seconds); ratio "1.8x" 1.8; number "171,902", "1e3", "(123)" -123. Anything else is (None, "text").
    """
    bare = text.translate(_ALIKE).strip() if len(text) <= _LONGEST else ""
    negative = bare.startswith("(") and bare.endswith(")")
    if negative:
        bare = bare[1:-1].strip()
    for kind, shape in _SHAPES:
        if match := shape.fullmatch(bare):
            found = _signed(match, negative)
            return (found, kind) if found is not None else (None, TEXT)
    if not negative and (seconds := _duration(bare)) is not None:
        return seconds, DURATION
    return None, TEXT


def _signed(match: re.Match[str], negative: bool) -> Decimal | None:
    """The number of a match; None for two signs ("-$-5", "(-5)") and past the bounds of any stored number."""
    groups = match.groupdict()
    signs = [sign for sign in (groups["sign"], groups.get("inner"), "-" if negative else "") if sign]
    found = number(groups["digits"].replace(",", ""))
    if found is None or len(signs) > 1:
        return None
    return found.copy_negate() if signs == ["-"] and found else found


def _duration(text: str) -> Decimal | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    told = [(match[unit], seconds) for unit, seconds in _UNIT_SECONDS if match[unit]]
    if not told:
        return None
    total = Decimal(0)
    for amount, seconds in told:
        total = EXACT.add(total, EXACT.multiply(Decimal(amount), seconds))
    return number(total.copy_negate() if match["sign"] == "-" and total else total)
