"""The fills of one position trade: what was held, at what average, and what came of it. Exact throughout.

The cost of what is left is the average of the entries so far (the average cost method); once everything is
closed the result is the same whatever the method: the sum of exits less the sum of entries.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact
from fractions import Fraction
from typing import Any, Final

from state.r_multiple import RATIO

_WIDE: Final = 400


def exact(numerator: int | Decimal, denominator: int | Decimal = 1) -> Decimal:
    """A quotient exactly where decimal digits can say it, else half even to 28 significant digits."""
    wide = Context(prec=_WIDE, rounding=ROUND_HALF_EVEN)
    found = wide.divide(Decimal(numerator), Decimal(denominator))
    if wide.flags[Inexact]:
        return RATIO.divide(Decimal(numerator), Decimal(denominator))
    # 2.50 and 2.5 are one number, but 20500 must not become 2.05E+4
    short = wide.normalize(found)
    return short if int(short.as_tuple().exponent) <= 0 else wide.quantize(short, Decimal(1))


def _decimal(value: Fraction) -> Decimal:
    return exact(value.numerator, value.denominator)


class Fills:
    """Entries and exits of one trade. `side` is 1 for a long trade, -1 for a short one.

    A fill whose quantity is not told counts as one unit; then no quantity of the trade is told. A fill whose
    price is not told leaves the averages it enters, and the result, unknown.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        #: held now; None when not known
        self.held: Decimal | None = Decimal(0)
        #: the most held at once; None when not known
        self.most: Decimal | None = Decimal(0)
        self._units = Fraction(0)
        self._cost: Fraction | None = Fraction(0)
        self._entered = self._entry_value = Fraction(0)
        self._left = self._exit_value = Fraction(0)
        self._result: Fraction | None = Fraction(0)
        self._entry_known = self._exit_known = True
        self._exits: list[dict[str, Any]] = []

    def enter(self, quantity: Decimal | None, price: Decimal | None) -> None:
        """More of it, at a price; None is what is not told."""
        self.held = (
            None if quantity is None or self.held is None else _decimal(Fraction(self.held) + Fraction(quantity))
        )
        self.most = None if self.held is None or self.most is None else max(self.most, self.held)
        units = Fraction(1) if quantity is None else Fraction(quantity)
        self._units += units
        self._entered += units
        if price is None:
            self._entry_known, self._cost = False, None
            return
        self._entry_value += units * Fraction(price)
        if self._cost is not None:
            self._cost += units * Fraction(price)

    def leave_some(
        self, quantity: Decimal | None, price: Decimal | None, *, at: datetime, told: Mapping[str, Any]
    ) -> None:
        """Less of it, at a price, with something left. How much of an unknown size is left, nobody can tell."""
        if quantity is None:
            self.held, self._exit_known, self._result = None, False, None
            self._exits.append({"time": at, "price": price, "quantity": None, "realized_points": None, **told})
            return
        self._leave(Fraction(quantity), quantity, price, at, told)
        self.held = None if self.held is None else _decimal(Fraction(self.held) - Fraction(quantity))

    def leave(
        self,
        quantity: Decimal | None,
        price: Decimal | None,
        *,
        at: datetime | None = None,
        told: Mapping[str, Any] | None = None,
    ) -> None:
        """All that is left of it, at a price."""
        self._leave(self._units, self.held if quantity is None else quantity, price, at, told or {})
        self.held = Decimal(0)

    def jump_to(self, size: Decimal | None) -> None:
        """The size became another one by fills that nobody told."""
        if size is not None and self.held is not None and size < self.held:
            self._leave(Fraction(self.held) - Fraction(size), None, None, None, {})
        elif size is not None and self.held is not None:
            self.enter(size - self.held, None)
        else:
            self._entry_known, self._cost, self._result = False, None, None
        self.held = size
        self.most = None if size is None or self.most is None else max(self.most, size)

    def _leave(
        self,
        units: Fraction,
        quantity: Decimal | None,
        price: Decimal | None,
        at: datetime | None,
        told: Mapping[str, Any],
    ) -> None:
        units = min(units, self._units)
        points = None
        if price is None:
            self._exit_known, self._result = False, None
        else:
            self._exit_value += units * Fraction(price)
        self._left += units
        if self._cost is not None and self._units:
            cost = self._cost * units / self._units
            self._cost -= cost
            if price is not None:
                points = self.side * (units * Fraction(price) - cost)
                self._result = None if self._result is None else self._result + points
        elif units:
            self._result = None
        self._units -= units
        shown = None if points is None else _decimal(points)
        self._exits.append({"time": at, "price": price, "quantity": quantity, "realized_points": shown, **told})

    @property
    def avg_entry(self) -> Decimal | None:
        """The average price of all entries, by quantity."""
        return _decimal(self._entry_value / self._entered) if self._entered and self._entry_known else None

    @property
    def avg_exit(self) -> Decimal | None:
        """The average price of all exits so far, by quantity."""
        return _decimal(self._exit_value / self._left) if self._left and self._exit_known else None

    @property
    def realized(self) -> Decimal | None:
        """What the exits so far brought, in price units times quantity; 0 before the first, None when not known."""
        return None if self._result is None else _decimal(self._result)

    def partial_exits(self, closed: bool) -> Iterator[dict[str, Any]]:
        """The exits that left something open and were told of, in their order."""
        exits = self._exits[:-1] if closed else self._exits
        return (one for one in exits if one["time"] is not None)
