"""The confidence charter: may production follow this advice? Rates and confidences are fractions from 0 to 1."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from state.governance.numbers import Z_95, fingerprint, ratio
from state.r_multiple import RATIO

GATE_PASS: Final = "gate_pass"
#: Width of a calibration bin.
BIN: Final = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Charter:
    """What a domain asks of advice; the defaults are those of a domain nobody has configured."""

    domain: str
    min_confidence_prod: Decimal = Decimal("0.90")
    min_sandbox_trials: int = 50
    min_sandbox_success_rate: Decimal = Decimal("0.80")
    prod_use_enabled: bool = False
    use_wilson: bool = False


def success_rate(trials: int, successes: int) -> Decimal | None:
    """Successes per trial to 28 digits; None without trials."""
    return ratio(Fraction(successes, trials)) if trials else None


def mean(total: Decimal, count: int) -> Decimal | None:
    """The mean to 28 digits; None of nothing."""
    return ratio(Fraction(total) / count) if count else None


def wilson_lower(trials: int, successes: int) -> Decimal:
    """The lower end of the 95 % score interval of a rate; 0 without successes.

    (p + z²/2n - z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n): E. B. Wilson, JASA 22 (1927) 209-212.
    """
    if not successes:
        return Decimal(0)
    n = Decimal(trials)
    p = RATIO.divide(Decimal(successes), n)
    z2 = RATIO.multiply(Z_95, Z_95)
    spread = RATIO.add(
        RATIO.divide(RATIO.multiply(p, RATIO.subtract(Decimal(1), p)), n), RATIO.divide(z2, 4 * RATIO.multiply(n, n))
    )
    middle = RATIO.add(p, RATIO.divide(z2, 2 * n))
    lower = RATIO.subtract(middle, RATIO.multiply(Z_95, RATIO.sqrt(spread)))
    return max(Decimal(0), RATIO.divide(lower, RATIO.add(Decimal(1), RATIO.divide(z2, n))))


def gate(charter: Charter, confidence: Decimal, trials: int, successes: int) -> str:
    """`gate_pass`, or the first gate that closes. Trials and successes are those of the charter's window."""
    if not charter.prod_use_enabled:
        return "prod_use_disabled"
    if confidence < charter.min_confidence_prod:
        return "confidence_below_threshold"
    if trials < charter.min_sandbox_trials:
        return "insufficient_sandbox_trials"
    if not _clears(charter, trials, successes):
        return "sandbox_success_rate_below_threshold"
    return GATE_PASS


def _clears(charter: Charter, trials: int, successes: int) -> bool:
    if charter.use_wilson:
        return wilson_lower(trials, successes) >= charter.min_sandbox_success_rate
    return Fraction(successes, max(trials, 1)) >= Fraction(charter.min_sandbox_success_rate)


def content_hash(domain: str, confidence: Decimal, recommendation: Any) -> str:
    """What binds a permission to the very advice it was given for."""
    return fingerprint({"domain": domain, "confidence": confidence, "recommendation": recommendation})


@dataclass(frozen=True, slots=True)
class Bin:
    """Advice with an outcome whose confidence lies in one bin; sums, not means."""

    number: int
    count: int
    confidence_sum: Decimal
    successes: int
    squared_error_sum: Decimal


def calibrate(bins: Iterable[Bin]) -> dict[str, Any]:
    """Claimed against achieved rate per bin, and the Brier score, the mean of (confidence - outcome)².

    G. W. Brier, Monthly Weather Review 78 (1950) 1-3; None where there is no outcome.
    """
    rows = sorted(bins, key=lambda one: one.number)
    count = sum(one.count for one in rows)
    error = sum((Fraction(one.squared_error_sum) for one in rows), Fraction(0))
    return {
        "count": count,
        "brier_score": ratio(error / count) if count else None,
        "bins": [
            {
                "from": one.number * BIN,
                "to": (one.number + 1) * BIN,
                "count": one.count,
                "claimed": ratio(Fraction(one.confidence_sum) / one.count),
                "achieved": ratio(Fraction(one.successes, one.count)),
            }
            for one in rows
        ],
    }
