"""The tripwire's findings, by hand, and how often it errs."""

import random
from decimal import Decimal

import pytest

from state.governance.regression import Finding, Window, Wire, evaluate, trip_reason

WIRE = Wire(min_events=50, max_drop=Decimal("0.20"))


def rates(successes: int, of: int) -> Window:
    return Window(of, of, successes)


def values(*numbers: str) -> Window:
    decimals = [Decimal(number) for number in numbers]
    count, squares = len(decimals), sum((n * n for n in decimals), Decimal(0))
    return Window(count, valued=count, total=sum(decimals, Decimal(0)), total_of_squares=squares)


def test_the_document_s_degradation() -> None:
    found = evaluate(WIRE, rates(37, 50), rates(190, 200))
    assert (found.baseline, found.current, found.trips) == (Decimal("0.95"), Decimal("0.74"), True)
    assert found.note == "TRIGGERED drop=0.221 action=THROTTLE"
    assert found.verdict == "FAIL"
    assert trip_reason("WHOLESALE", "contract_rate", found.drop or Decimal(0)) == (
        "Regression tripwire: WHOLESALE.contract_rate drop=0.221"
    )


def test_a_drop_of_exactly_the_limit_trips() -> None:
    found = evaluate(WIRE, rates(40, 50), rates(150, 150))
    assert (found.baseline, found.current, found.drop) == (Decimal(1), Decimal("0.8"), Decimal("0.2"))
    assert found.note == "TRIGGERED drop=0.200 action=THROTTLE"
    assert not evaluate(WIRE, rates(41, 50), rates(150, 150)).trips


def test_the_same_rate_is_fine() -> None:
    found = evaluate(WIRE, rates(190, 200), rates(95, 100))
    assert (found.note, found.verdict, found.trips) == ("OK drop=0.000", "PASS", False)


def test_a_gain_is_a_negative_drop_and_never_minus_zero() -> None:
    assert evaluate(WIRE, rates(60, 60), rates(57, 60)).note == "OK drop=-0.053"
    assert evaluate(WIRE, rates(100001, 100001), rates(100000, 100001)).note == "OK drop=0.000"


@pytest.mark.parametrize(
    ("current", "baseline", "note"),
    [
        (rates(50, 50), rates(10, 10), "insufficient_events(recent=50, baseline=10)"),
        (rates(3, 3), rates(0, 0), "insufficient_events(recent=3, baseline=0)"),
        (rates(10, 50), rates(0, 50), "cannot_compute_rate"),
        (Window(50), rates(50, 50), "cannot_compute_rate"),
        (rates(50, 50), Window(50, valued=50, total=Decimal(1)), "cannot_compute_rate"),
        (Window(50, valued=50, total=Decimal(-9)), Window(50, valued=50, total=Decimal(-1)), "cannot_compute_rate"),
    ],
)
def test_what_cannot_be_judged_never_trips(current: Window, baseline: Window, note: str) -> None:
    assert evaluate(WIRE, current, baseline) == Finding(False, note, "INCONCLUSIVE")


def test_values_are_compared_by_their_means() -> None:
    wire = Wire(2, Decimal("0.30"), "KILL_SWITCH")
    found = evaluate(wire, values("0.5", "0.7"), values("1.0", "1.2", "0.8"))
    assert (found.baseline, found.current, found.drop) == (Decimal(1), Decimal("0.6"), Decimal("0.4"))
    assert found.note == "TRIGGERED drop=0.400 action=KILL_SWITCH"
    # difference 0.4, variances 0.04 and 0.02, error sqrt(0.04/3 + 0.02/2) = 0.152753
    test = found.significance
    assert test is not None
    assert (test.p_value, test.effect_size) == (Decimal("0.008829"), Decimal("2.309401"))
    assert (test.interval_low, test.interval_high) == (Decimal("0.100611"), Decimal("0.699389"))


def test_one_value_or_equal_values_have_no_spread() -> None:
    wire = Wire(1, Decimal("0.30"))
    assert evaluate(wire, values("0.5"), values("1")).significance is None
    same = evaluate(wire, values("1", "1"), values("2", "2")).significance
    assert same is not None
    assert (same.p_value, same.effect_size) == (Decimal(0), None)


def test_the_normal_test_by_hand() -> None:
    # p 0.9 and 0.7, pooled 0.86: z = 0.2 / sqrt(0.86 * 0.14 * (1/200 + 1/50)) = 3.6454
    test = evaluate(WIRE, rates(35, 50), rates(180, 200)).significance
    assert test is not None
    assert test.p_value == Decimal("0.000267")
    assert test.effect_size == Decimal("0.515778")


def test_few_failures_are_tested_exactly() -> None:
    # Fisher, tables of 2 failures in 10 and 10: P(2, 0) = P(0, 2) = 45/190, P(1, 1) = 100/190
    test = evaluate(Wire(10, Decimal("0.1")), rates(8, 10), rates(10, 10)).significance
    assert test is not None
    assert test.p_value == Decimal("0.473684")


def test_significance_may_be_required() -> None:
    careful = Wire(5, Decimal("0.20"), require_significance=True)
    few = evaluate(careful, rates(4, 6), rates(5, 6))
    assert (few.trips, few.verdict, few.note) == (False, "INCONCLUSIVE", "OK drop=0.200")
    assert evaluate(Wire(5, Decimal("0.20")), rates(4, 6), rates(5, 6)).trips
    assert evaluate(careful, rates(30, 60), rates(55, 60)).trips


def sample(chance: random.Random, rate: float, events: int) -> Window:
    return rates(sum(chance.random() < rate for _ in range(events)), events)


@pytest.mark.parametrize("rate", [0.5, 0.8, 0.95])
def test_false_alarms_stay_under_two_and_a_half_percent(rate: float) -> None:
    chance = random.Random(20260113)
    wire = Wire(50, Decimal("0.20"), require_significance=True)
    alarms = sum(evaluate(wire, sample(chance, rate, 50), sample(chance, rate, 200)).trips for _ in range(1000))
    assert alarms <= 25


def test_a_fall_from_eighty_to_fifty_percent_is_found_nineteen_times_in_twenty() -> None:
    chance = random.Random(20260113)
    wire = Wire(50, Decimal("0.20"), require_significance=True)
    found = sum(evaluate(wire, sample(chance, 0.5, 50), sample(chance, 0.8, 200)).trips for _ in range(1000))
    assert found >= 950
