"""What the fall of cumulative R over days is, said plainly: the database's reckoning is held against it."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Final

from state.r_multiple import EXACT

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Results one after the other, from 0: their sum, the highest (at least 0) and the lowest (at most 0) that
    cumulative R stood, and its deepest fall from a peak. All in R."""

    total: Decimal = _ZERO
    peak: Decimal = _ZERO
    low: Decimal = _ZERO
    drawdown: Decimal = _ZERO

    def then(self, after: "Stretch") -> "Stretch":
        """The stretch that both make."""
        return Stretch(
            EXACT.add(self.total, after.total),
            max(self.peak, EXACT.add(self.total, after.peak)),
            min(self.low, EXACT.add(self.total, after.low)),
            max(self.drawdown, after.drawdown, EXACT.subtract(self.peak, EXACT.add(self.total, after.low))),
        )


def joined(stretches: Iterable[Stretch]) -> Stretch:
    """The stretch that stretches make, one after the other."""
    return reduce(Stretch.then, stretches, Stretch())
