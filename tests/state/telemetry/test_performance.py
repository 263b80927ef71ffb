"""The formulas against an independent implementation (empyrical, numpy, scipy) on random series."""

import math
from collections.abc import Sequence
from decimal import Decimal

import empyrical
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from state.telemetry import intervals
from state.telemetry import performance as formulas
from state.telemetry.performance import Sums

cents = st.integers(-100_000, 100_000).map(lambda value: Decimal(value) / 100)
series = st.lists(cents, min_size=1, max_size=60)


def sums(values: Sequence[Decimal]) -> Sums:
    wins, losses = [value for value in values if value > 0], [value for value in values if value < 0]
    return Sums(
        trades=len(values),
        wins=len(wins),
        losses=len(losses),
        total=sum(values, Decimal(0)),
        gross_profit=sum(wins, Decimal(0)),
        gross_loss=sum(losses, Decimal(0)),
        squares=sum((value * value for value in values), Decimal(0)),
        loss_squares=sum((value * value for value in losses), Decimal(0)),
    )


def close(found: Decimal | None, expected: float) -> bool:
    if found is None:
        return not math.isfinite(expected)
    return math.isclose(float(found), expected, rel_tol=1e-9, abs_tol=1e-12)


@given(series)
def test_sharpe_is_empyricals(values: list[Decimal]) -> None:
    assume(len(set(values)) > 1)
    expected = empyrical.sharpe_ratio(np.array(values, dtype=float), annualization=1)
    assert close(formulas.sharpe(sums(values)), expected)


@given(series)
def test_sortino_is_empyricals(values: list[Decimal]) -> None:
    assume(len(values) > 1 and min(values) < 0)
    expected = empyrical.sortino_ratio(np.array(values, dtype=float), annualization=1)
    assert close(formulas.sortino(sums(values)), expected)


def test_ratios_without_a_spread_are_none() -> None:
    assert formulas.sharpe(sums([Decimal(1)])) is None
    assert formulas.sharpe(sums([Decimal("0.1")] * 10)) is None
    assert formulas.sortino(sums([Decimal(1), Decimal(2)])) is None


@given(series)
def test_the_deviation_is_numpys(values: list[Decimal]) -> None:
    assume(len(values) > 1)
    expected = np.std(np.array(values, dtype=float), ddof=1)
    found = formulas.deviation(len(values), sum(values, Decimal(0)), sum((v * v for v in values), Decimal(0)))
    assert found is not None
    assert math.isclose(float(found), expected, rel_tol=1e-9, abs_tol=1e-9)


@given(series)
def test_the_report_adds_up(values: list[Decimal]) -> None:
    found = formulas.performance(sums(values))
    assert found["winning_trades"] + found["losing_trades"] + found["breakeven_trades"] == len(values)
    assert found["total_pnl"] == sum(values)
    assert close(found["expectancy"], float(np.mean(np.array(values, dtype=float))))
    # Tharp's expectancy from win rate and average win and loss is the same number
    wins, losses = found["winning_trades"], found["losing_trades"]
    parts = wins * (found["avg_win"] or 0) + losses * (found["avg_loss"] or 0)
    assert close(found["expectancy"], float(parts / len(values)))
    if found["profit_factor"] is not None:
        gains = sum(value for value in values if value > 0)
        assert close(found["profit_factor"], float(gains / -sum(value for value in values if value < 0)))


@given(st.lists(st.integers(1, 10**9).map(lambda value: Decimal(value) / 100), min_size=1, max_size=60))
def test_drawdowns_are_empyricals(curve: list[Decimal]) -> None:
    peak, falls = curve[0], []
    for value in curve:
        peak = max(peak, value)
        falls.append(formulas.drawdown_pct(value, peak))
    floats = np.array(curve, dtype=float)
    returns = floats[1:] / floats[:-1] - 1
    expected = -100 * empyrical.max_drawdown(returns) if len(returns) else 0.0
    largest = max(fall for fall in falls if fall is not None)
    assert math.isclose(float(largest), expected, rel_tol=1e-9, abs_tol=1e-9)


def test_a_peak_at_or_below_zero_has_no_percentage() -> None:
    assert formulas.drawdown_pct(Decimal(-5), Decimal(0)) is None
    assert formulas.percent(1, 0) is None


@given(st.lists(cents, min_size=1, max_size=200), st.sampled_from(["0.5", "0.95", "0.99"]))
def test_percentiles_are_numpys_nearest_rank(values: list[Decimal], share: str) -> None:
    found = formulas.percentile(sorted(values), Decimal(share))
    expected = sorted(values)[math.ceil(Decimal(share) * len(values)) - 1]
    assert found == expected
    assert found is not None
    floats = np.array(values, dtype=float)
    # the definition itself: so many do not exceed it, and no smaller value would do
    assert (floats <= float(found)).sum() >= Decimal(share) * len(values)
    assert (floats < float(found)).sum() < Decimal(share) * len(values)


def test_no_values_have_no_percentile() -> None:
    assert formulas.percentile([], Decimal("0.5")) is None


@pytest.mark.parametrize("freedom", [*range(1, 60), 120, 1000, 10**6])
def test_students_quantile_is_scipys(freedom: int) -> None:
    assert math.isclose(float(intervals.t_quantile(freedom)), stats.t.ppf(0.975, freedom), rel_tol=5e-7)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_rate_interval_is_scipys(trials: int, share: float) -> None:
    successes = round(trials * share)
    found = intervals.rate_interval(successes, trials)
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert found is not None
    assert math.isclose(float(found[0]), 100 * expected.low, rel_tol=1e-9, abs_tol=1e-9)
    assert math.isclose(float(found[1]), 100 * expected.high, rel_tol=1e-9, abs_tol=1e-9)


@given(series)
def test_the_mean_interval_is_scipys(values: list[Decimal]) -> None:
    assume(len(set(values)) > 1)
    floats = np.array(values, dtype=float)
    expected = stats.t.interval(0.95, len(values) - 1, loc=floats.mean(), scale=stats.sem(floats))
    found = formulas.performance(sums(values))["expectancy_interval_95"]
    width = expected[1] - expected[0]
    assert math.isclose(float(found["low"]), expected[0], rel_tol=1e-6, abs_tol=1e-6 * width)
    assert math.isclose(float(found["high"]), expected[1], rel_tol=1e-6, abs_tol=1e-6 * width)


def test_too_little_has_no_interval() -> None:
    assert intervals.rate_interval(0, 0) is None
    assert intervals.mean_interval(1, Decimal(1), None) is None
