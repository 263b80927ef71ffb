"""The R multiple: a trade's result in units of the risk taken at its entry.

R = (exit - entry) / |entry - stop| for a Bullish trade, (entry - exit) / |entry - stop| for a Bearish
one (Van K. Tharp, "Trade Your Way to Financial Freedom", 2nd ed., ch. 7). Sums and differences are
exact; a quotient is rounded half even to 28 significant digits, whatever the caller's context is.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from state.values import price, r_multiple
from state.vocabulary import BEARISH, BULLISH, EXIT_BREAK_EVEN, EXIT_STOP_LOSS, EXIT_TAKE_PROFIT

#: Wide enough for any sum or difference of numbers that `state.values.number` lets in.
EXACT: Final = Context(prec=400, rounding=ROUND_HALF_EVEN)
RATIO: Final = Context(prec=28, rounding=ROUND_HALF_EVEN)

_NAMED_R: Final = re.compile(r"(?:target_)?([0-9]{1,3})R", re.IGNORECASE)
_NAMED_PRICE: Final = re.compile(r"tp_?[0-9]{1,3}(?:_price)?", re.IGNORECASE)


def direction_of(entry_price: Decimal | None, stop_loss: Decimal | None) -> str | None:
    """The direction that a stop implies: below the entry Bullish, above it Bearish, else None."""
    if entry_price is None or stop_loss is None or entry_price == stop_loss:
        return None
    return BULLISH if stop_loss < entry_price else BEARISH


def risk_of(entry_price: Decimal | None, stop_loss: Decimal | None, told: Decimal | None) -> Decimal | None:
    """The risk of one unit, in price: |entry - stop| when both are known and differ, else the distance told."""
    if entry_price is None or stop_loss is None or entry_price == stop_loss:
        return told
    return EXACT.abs(EXACT.subtract(entry_price, stop_loss))


def r_at(at: Decimal, entry_price: Decimal, risk: Decimal, direction: str) -> Decimal:
    """The R multiple of the price `at`, to 28 significant digits. `risk` is above 0, in price."""
    gain = EXACT.subtract(at, entry_price) if direction == BULLISH else EXACT.subtract(entry_price, at)
    return RATIO.divide(gain, risk)


def _multiples(
    targets: Mapping[str, Any], entry_price: Decimal | None, risk: Decimal | None, direction: str | None
) -> Iterator[Decimal]:
    for name, value in targets.items():
        if name == "target_Rs" and isinstance(value, list | tuple):
            yield from (r for r in map(r_multiple, value) if r is not None)
        at = price(value)
        if at is None:
            continue
        if named := _NAMED_R.fullmatch(name):
            yield Decimal(named[1])
        elif _NAMED_PRICE.fullmatch(name) and entry_price is not None and risk is not None and direction is not None:
            yield r_at(at, entry_price, risk, direction)


def target_multiples(
    targets: Mapping[str, Any] | None, entry_price: Decimal | None, risk: Decimal | None, direction: str | None
) -> tuple[Decimal, ...]:
    """The trade's targets as R multiples above 0, nearest first; () when none can be told.

    `target_2r` is at 2R by its name when it holds a price; `tp1_price` is measured from the entry;
    `target_Rs` is a list of R multiples.
    """
    found = _multiples(targets or {}, entry_price, risk, direction)
    return tuple(sorted({multiple for multiple in found if multiple > 0}))


def target_reached(multiples: Iterable[Decimal], max_mfe: Decimal | None) -> Decimal | None:
    """The R multiple at which a target exit was filled when its price was not told.

    The farthest target that the trade's largest MFE reached; when that is unknown or short of all of
    them, the nearest target, since the exit says that one was reached. None without targets.
    """
    nearest_first = sorted(multiples)
    reached = [multiple for multiple in nearest_first if max_mfe is not None and multiple <= max_mfe]
    return reached[-1] if reached else next(iter(nearest_first), None)


def realized_r(
    exit_type: str,
    *,
    exit_price: Decimal | None,
    entry_price: Decimal | None,
    risk: Decimal | None,
    direction: str | None,
    targets: Mapping[str, Any] | None,
    max_mfe: Decimal | None,
) -> Decimal | None:
    """The result of a finished trade in R, or None when nothing tells it.

    From the prices when they are known. Otherwise by the kind of exit: break-even 0, stop loss -1,
    take profit the target reached (see `target_reached`), manual None. Partial exits do not enter.
    """
    if exit_price is not None and entry_price is not None and risk is not None and direction is not None:
        return r_at(exit_price, entry_price, risk, direction)
    if exit_type == EXIT_BREAK_EVEN:
        return Decimal(0)
    if exit_type == EXIT_STOP_LOSS:
        return Decimal(-1)
    if exit_type == EXIT_TAKE_PROFIT:
        return target_reached(target_multiples(targets, entry_price, risk, direction), max_mfe)
    return None
