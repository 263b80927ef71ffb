"""The capital ledger's figures: balances, the forecast, the drawdown and the freeze. All money is exact."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Final

CENT: Final = Decimal("0.01")
#: Digits after the point of a drawdown that has no end (1/3); the freeze itself is decided without dividing.
DRAWDOWN_PLACES: Final = Decimal(1).scaleb(-12)
NOTHING: Final = Decimal(0)
#: Wide enough that sums, products and quotients of amounts of up to 64 digits are never rounded by the context.
_WIDE: Final = Context(prec=200)

NO_PREVIOUS: Final = "No previous balance to compare"
ACCEPTABLE: Final = "Within acceptable drawdown"


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the ledger: `amount` is signed, `reverses` is the id of the record that it undoes."""

    id: int
    source: str
    currency: str
    amount: Decimal
    reverses: int | None = None


def balances(entries: Iterable[Entry]) -> dict[tuple[str, str], Decimal]:
    """The balance of each (source, currency): the sum of its records, in any order."""
    totals: dict[tuple[str, str], Decimal] = {}
    with localcontext(_WIDE):
        for entry in entries:
            place = (entry.source, entry.currency)
            totals[place] = totals.get(place, NOTHING) + entry.amount
    return totals


def money(value: Decimal) -> Decimal:
    """The same value with at least two digits after the point, and no needless zeros after those."""
    with localcontext(_WIDE):
        short = value.quantize(CENT)
        return short if short == value else value.normalize()


def project(total: Decimal, monthly_yield: Decimal) -> Decimal:
    """The balance one month ahead: total * (1 + yield), exact. `monthly_yield` is a fraction: 0.04 is 4%."""
    with localcontext(_WIDE):
        return money(total * (1 + monthly_yield))


def percent(fraction: Decimal) -> str:
    """A fraction as a percentage without needless zeros: 0.04 is "4"."""
    with localcontext(_WIDE):
        shown = format(fraction * 100, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def convert(total: Decimal, rate: Decimal, target_rate: Decimal) -> Decimal:
    """An amount in another currency, both rates in units of the base currency.

    Exact into the base currency (target_rate 1); a quotient is rounded to cents, half to even.
    """
    with localcontext(_WIDE):
        value = total * rate
        return money(value) if target_rate == 1 else (value / target_rate).quantize(CENT, ROUND_HALF_EVEN)


def converted(totals: Mapping[str, Decimal], rates: Mapping[str, Decimal], target: str) -> tuple[Decimal, list[str]]:
    """All currencies' totals in one currency, and the currencies that had to be left out for want of a rate."""
    others = {name: total for name, total in totals.items() if total and name != target}
    known = others.keys() & rates.keys() if target in rates else set()
    with localcontext(_WIDE):
        value = totals.get(target, NOTHING)
        for name in sorted(known):
            value += convert(others[name], rates[name], rates[target])
    return money(value), sorted(others.keys() - known)


@dataclass(frozen=True, slots=True)
class FreezeCheck:
    """A balance against the one before it. `drawdown` and `threshold` are fractions: 0.02 is 2%; a gain is 0."""

    frozen: bool
    drawdown: Decimal
    threshold: Decimal
    previous: Decimal
    current: Decimal
    message: str


def check_freeze(previous: Decimal, current: Decimal, threshold: Decimal) -> FreezeCheck:
    """Whether the fall from `previous` to `current` exceeds the threshold: exactly at it is still acceptable.

    drawdown = (previous - current) / previous; the comparison multiplies instead of dividing, so it is exact.
    Without a previous balance above 0 there is nothing to compare and nothing is frozen.
    """
    if previous <= 0:
        return FreezeCheck(False, NOTHING, threshold, previous, current, NO_PREVIOUS)
    with localcontext(_WIDE):
        fall = previous - current
        frozen = fall > threshold * previous
        drawdown = max(fall / previous, NOTHING)
        shown = drawdown.quantize(DRAWDOWN_PLACES).normalize() + 0
        message = f"FREEZE TRIGGERED - {_told(drawdown, threshold)}% drawdown" if frozen else ACCEPTABLE
    return FreezeCheck(frozen, shown, threshold, previous, current, message)


def _told(drawdown: Decimal, threshold: Decimal) -> Decimal:
    """A drawdown in percent with two digits, or as many as it takes to differ from the threshold it exceeds."""
    for places in range(2, 13):
        told = (drawdown * 100).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        if told != threshold * 100:
            return told
    return drawdown * 100


def less_flows(current: Decimal, net_flow: Decimal) -> Decimal:
    """A balance without what was deposited and withdrawn since the one before it: money moved is no gain or loss."""
    with localcontext(_WIDE):
        return current - net_flow


def drawdown_from_peak(balance: Decimal, peak: Decimal) -> tuple[Decimal, Decimal | None]:
    """(how far below its highest, as a fraction of it); the fraction is None while there was no balance above 0."""
    with localcontext(_WIDE):
        fall = peak - balance
        return fall, None if peak <= 0 else (fall / peak).quantize(DRAWDOWN_PLACES).normalize() + 0
