"""95% confidence intervals of a rate and of a mean."""

from decimal import Decimal
from typing import Final

from state.r_multiple import EXACT, RATIO

#: The 97.5% quantile of the normal distribution.
Z: Final = Decimal("1.959963984540054")
#: The 97.5% quantiles of Student's t with 1 to 30 degrees of freedom.
_T_DIGITS: Final = """
    12.706205 4.302653 3.182446 2.776445 2.570582 2.446912 2.364624 2.306004 2.262157 2.228139
    2.200985 2.178813 2.160369 2.144787 2.131450 2.119905 2.109816 2.100922 2.093024 2.085963
    2.079614 2.073873 2.068658 2.063899 2.059539 2.055529 2.051831 2.048407 2.045230 2.042272
"""
_T: Final = tuple(map(Decimal, _T_DIGITS.split()))


def t_quantile(freedom: int) -> Decimal:
    """The 97.5% quantile of Student's t; beyond 30 degrees of freedom by expansion around the normal one.

    Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.5, four terms: right to 7 digits there.
    """
    if freedom <= len(_T):
        return _T[freedom - 1]
    terms = (
        (Z**3 + Z) / 4,
        (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96,
        (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384,
        (79 * Z**9 + 776 * Z**7 + 1482 * Z**5 - 1920 * Z**3 - 945 * Z) / 92160,
    )
    return Z + sum((term / Decimal(freedom) ** power for power, term in enumerate(terms, 1)), Decimal(0))


def rate_interval(successes: int, trials: int) -> tuple[Decimal, Decimal] | None:
    """Bounds of a success rate in percent; None without trials.

    The score interval (E. B. Wilson, "Probable Inference", JASA 22, 1927), which stays within 0 and 100.
    """
    if trials == 0:
        return None
    n, rate = Decimal(trials), RATIO.divide(Decimal(successes), Decimal(trials))
    square = RATIO.multiply(Z, Z)
    centre = RATIO.add(rate, RATIO.divide(square, 2 * n))
    inner = RATIO.add(
        RATIO.divide(RATIO.multiply(rate, RATIO.subtract(Decimal(1), rate)), n), RATIO.divide(square, 4 * n * n)
    )
    reach = RATIO.multiply(Z, RATIO.sqrt(inner))
    scale = RATIO.add(Decimal(1), RATIO.divide(square, n))
    low = RATIO.divide(100 * RATIO.subtract(centre, reach), scale) if successes else Decimal(0)
    high = RATIO.divide(100 * RATIO.add(centre, reach), scale) if successes < trials else Decimal(100)
    return low, high


def mean_interval(count: int, mean: Decimal, deviation: Decimal | None) -> tuple[Decimal, Decimal] | None:
    """Bounds of a mean from its sample standard deviation; None for fewer than two values.

    mean -+ t * s / sqrt(n) (Student, "The Probable Error of a Mean", Biometrika 6, 1908).
    """
    if count < 2 or deviation is None:
        return None
    error = RATIO.divide(deviation, RATIO.sqrt(Decimal(count)))
    reach = RATIO.multiply(t_quantile(count - 1), error)
    return EXACT.subtract(mean, reach), EXACT.add(mean, reach)
