"""The regression tripwire: has a measured rate fallen too far below its baseline?

Current is the newest window of events, baseline those just before it. The drop is exact arithmetic on counts;
the significance beside it is an estimate, so it is computed in floating point and rounded to six places.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import asin, comb, erfc, sqrt
from typing import Any, Final

from state.governance.numbers import Z_95, ratio, thousandths
from state.governance.risk import TRIPPED_BY_WIRE

THROTTLE: Final = "THROTTLE"
KILL_SWITCH: Final = "KILL_SWITCH"
ACTIONS: Final = (THROTTLE, KILL_SWITCH)

PASS: Final = "PASS"
FAIL: Final = "FAIL"
INCONCLUSIVE: Final = "INCONCLUSIVE"

MISSING_OR_DISABLED: Final = "policy_missing_or_disabled"
CANNOT_COMPUTE: Final = "cannot_compute_rate"

#: Two-sided level of the test.
ALPHA: Final = 0.05
#: Below this many expected successes or failures in a window the exact test takes the normal one's place.
_FEW: Final = 5
_Z: Final = float(Z_95)


@dataclass(frozen=True, slots=True)
class Wire:
    """What a tripwire policy asks for: events in the windows, the largest drop as a fraction, the action."""

    min_events: int
    max_drop: Decimal
    action: str = THROTTLE
    require_significance: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Sums over a window: its events, those with a verdict and their successes, those with a value and their sums."""

    events: int
    judged: int = 0
    successes: int = 0
    valued: int = 0
    total: Decimal = Decimal(0)
    total_of_squares: Decimal = Decimal(0)

    @property
    def rate(self) -> Fraction | None:
        """Successes per judged event, else the mean value, else None."""
        if self.judged:
            return Fraction(self.successes, self.judged)
        return Fraction(self.total) / self.valued if self.valued else None


@dataclass(frozen=True, slots=True)
class Significance:
    """A two-sided test of no difference, an effect size, and the 95 % interval of baseline - current."""

    p_value: Decimal
    effect_size: Decimal | None
    interval_low: Decimal
    interval_high: Decimal


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found. `trips`: the drop calls for the action."""

    trips: bool
    note: str
    verdict: str
    baseline: Decimal | None = None
    current: Decimal | None = None
    drop: Decimal | None = None
    significance: Significance | None = None

    def as_dict(self) -> dict[str, Any]:
        test = self.significance
        return {
            "baseline": self.baseline,
            "current": self.current,
            "drop_fraction": self.drop,
            "note": self.note,
            "verdict": self.verdict,
            "p_value": test and test.p_value,
            "effect_size": test and test.effect_size,
            "interval_low": test and test.interval_low,
            "interval_high": test and test.interval_high,
        }


def evaluate(wire: Wire, current: Window, baseline: Window) -> Finding:
    """Compare two windows. drop = (baseline - current) / baseline; it trips at drop >= `max_drop`.

    FAIL: a drop that large which is also significant; INCONCLUSIVE: one that is not, or nothing to compare;
    PASS: a smaller drop. With `require_significance` only FAIL trips.
    """
    if min(current.events, baseline.events) < wire.min_events:
        note = f"insufficient_events(recent={current.events}, baseline={baseline.events})"
        return Finding(False, note, INCONCLUSIVE)
    now, before = current.rate, baseline.rate
    if now is None or before is None or before <= 0 or bool(current.judged) != bool(baseline.judged):
        return Finding(False, CANNOT_COMPUTE, INCONCLUSIVE)
    drop = (before - now) / before
    far = drop >= Fraction(wire.max_drop)
    test = _test_rates(current, baseline) if current.judged else _test_means(current, baseline)
    surely = test is not None and float(test.p_value) < ALPHA
    verdict = PASS if not far else FAIL if surely else INCONCLUSIVE
    trips = far and (surely or not wire.require_significance)
    shown = thousandths(ratio(drop))
    note = f"TRIGGERED drop={shown} action={wire.action}" if trips else f"OK drop={shown}"
    return Finding(trips, note, verdict, ratio(before), ratio(now), ratio(drop), test)


def _rounded(number: float) -> Decimal:
    return Decimal(f"{number:.6f}") + 0


def _p_of_z(z: float) -> float:
    """The two-sided tail of the standard normal distribution."""
    return erfc(abs(z) / sqrt(2))


def _test_rates(current: Window, baseline: Window) -> Significance:
    """Two proportions: pooled z test, or Fisher's exact test where few are expected; Cohen's h; Newcombe's interval.

    Fleiss, "Statistical Methods for Rates and Proportions" (3rd ed.), ch. 3; Cohen, "Statistical Power Analysis"
    (2nd ed.), ch. 6; Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
    """
    n1, x1, n2, x2 = baseline.judged, baseline.successes, current.judged, current.successes
    p1, p2 = x1 / n1, x2 / n2
    pooled = (x1 + x2) / (n1 + n2)
    if min(n1, n2) * min(pooled, 1 - pooled) < _FEW:
        p_value = _fisher(x1, n1, x2, n2)
    else:
        p_value = _p_of_z((p1 - p2) / sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2)))
    low1, high1 = _wilson(x1, n1)
    low2, high2 = _wilson(x2, n2)
    return Significance(
        p_value=_rounded(p_value),
        effect_size=_rounded(2 * asin(sqrt(p1)) - 2 * asin(sqrt(p2))),
        interval_low=_rounded(p1 - p2 - sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)),
        interval_high=_rounded(p1 - p2 + sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)),
    )


def _wilson(x: int, n: int) -> tuple[float, float]:
    p, z2 = x / n, _Z * _Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    spread = _Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - spread), min(1.0, middle + spread)


def _fisher(x1: int, n1: int, x2: int, n2: int) -> float:
    """Fisher's exact test, two-sided: all tables no likelier than this one, in whole numbers.

    Counts the rarer of successes and failures, so the sum has few terms.
    """
    if 2 * (x1 + x2) > n1 + n2:
        x1, x2 = n1 - x1, n2 - x2
    rare = x1 + x2
    ways = [comb(n1, k) * comb(n2, rare - k) for k in range(max(0, rare - n2), min(rare, n1) + 1)]
    here = comb(n1, x1) * comb(n2, x2)
    return sum(way for way in ways if way <= here) / sum(ways)


def _test_means(current: Window, baseline: Window) -> Significance | None:
    """Two means by Welch's statistic against the normal distribution; Cohen's d. None for fewer than two values.

    B. L. Welch, Biometrika 34 (1947) 28-35; the normal distribution stands for Student's, so windows need
    about thirty values.
    """
    if min(current.valued, baseline.valued) < 2:
        return None
    difference = float(Fraction(baseline.total) / baseline.valued - Fraction(current.total) / current.valued)
    variance1, variance2 = _variance(baseline), _variance(current)
    error = sqrt(variance1 / baseline.valued + variance2 / current.valued)
    p_value = _p_of_z(difference / error) if error else float(difference == 0)
    deviation = sqrt((variance1 + variance2) / 2)
    return Significance(
        p_value=_rounded(p_value),
        effect_size=_rounded(difference / deviation) if deviation else None,
        interval_low=_rounded(difference - _Z * error),
        interval_high=_rounded(difference + _Z * error),
    )


def _variance(window: Window) -> float:
    n = window.valued
    squares = Fraction(window.total_of_squares) - Fraction(window.total) ** 2 / n
    return float(squares / (n - 1))


def trip_reason(domain: str, metric: str, drop: Decimal) -> str:
    """The sentence that a tripped wire leaves on what it switched off."""
    return f"{TRIPPED_BY_WIRE}{domain}.{metric} drop={thousandths(drop)}"
