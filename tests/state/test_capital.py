"""The figures of the capital ledger, by hand and by their laws."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.capital import (
    Entry,
    balances,
    check_freeze,
    convert,
    converted,
    drawdown_from_peak,
    less_flows,
    money,
    percent,
    project,
)
from state.forecast import forecast
from state.nightly import bounds

D = Decimal
amounts = st.decimals(D("-1e15"), D("1e15"), places=2)
positive = st.decimals(D("0.01"), D("1e15"), places=2)
thresholds = st.decimals(D("0.0001"), D("1"), places=4)


def test_exactly_at_the_threshold_is_acceptable() -> None:
    assert check_freeze(D(50000), D(49000), D("0.02")).frozen is False
    assert check_freeze(D(50000), D("48999.99"), D("0.02")).frozen is True


def test_a_message_never_shows_the_threshold_as_exceeding_itself() -> None:
    assert check_freeze(D(50000), D(48000), D("0.02")).message == "FREEZE TRIGGERED - 4.00% drawdown"
    assert check_freeze(D(50000), D("48999.99"), D("0.02")).message == "FREEZE TRIGGERED - 2.00002% drawdown"


def test_a_loss_beyond_everything_is_more_than_1() -> None:
    assert check_freeze(D(100), D(-900), D("0.02")).drawdown == 10


@given(positive, amounts, thresholds)
def test_frozen_is_decided_exactly(previous: D, current: D, threshold: D) -> None:
    exact = (Fraction(previous) - Fraction(current)) / Fraction(previous)
    found = check_freeze(previous, current, threshold)
    assert found.frozen == (exact > Fraction(threshold))
    assert found.drawdown >= 0
    assert abs(Fraction(found.drawdown) - max(exact, Fraction(0))) <= Fraction(1, 10**12)


@given(amounts, st.decimals(D("0.0001"), D("10"), places=4))
def test_the_forecast_is_exact(total: D, monthly_yield: D) -> None:
    assert Fraction(project(total, monthly_yield)) == Fraction(total) * (1 + Fraction(monthly_yield))


@given(st.lists(st.tuples(st.sampled_from("ab"), amounts), max_size=30), st.randoms())
def test_balances_do_not_depend_on_the_order(given_amounts: list[tuple[str, D]], random: object) -> None:
    entries = [Entry(number, source, "CAD", amount) for number, (source, amount) in enumerate(given_amounts)]
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert balances(entries) == balances(shuffled)
    for source, _ in given_amounts:
        total = sum(Fraction(amount) for name, amount in given_amounts if name == source)
        assert Fraction(balances(entries)[source, "CAD"]) == total


@pytest.mark.parametrize(("value", "shown"), [("1", "1.00"), ("1.5", "1.50"), ("1.500", "1.50"), ("0.0010", "0.001")])
def test_money_has_two_digits_or_all_it_needs(value: str, shown: str) -> None:
    assert str(money(D(value))) == shown


@pytest.mark.parametrize(("fraction", "shown"), [("0.04", "4"), ("0.045", "4.5"), ("1", "100"), ("0.10", "10")])
def test_percent(fraction: str, shown: str) -> None:
    assert percent(D(fraction)) == shown


def test_conversion_is_exact_into_the_base_and_rounded_to_cents_out_of_it() -> None:
    assert convert(D("100.10"), D("1.25"), D(1)) == D("125.125")
    assert convert(D("1"), D("1"), D("3")) == D("0.33")
    assert converted({"CAD": D(1), "USD": D(2), "EUR": D(0)}, {"CAD": D(1)}, "CAD") == (D("1.00"), ["USD"])
    assert converted({"CAD": D(1), "USD": D(2)}, {"CAD": D(1)}, "USD") == (D("2.00"), ["CAD"])


def test_a_forecast_of_nothing() -> None:
    found = forecast({}, {"CAD": 1}, "CAD", D("0.04"))
    assert (found["current_total"], found["projected_balance"], found["converted"]) == (0, 0, None)
    assert str(found["current_total"]) == "0.00"


def test_drawdown_from_the_peak() -> None:
    assert drawdown_from_peak(D(80), D(100)) == (D(20), D("0.2"))
    assert drawdown_from_peak(D(-5), D(-5)) == (D(0), None)


def test_flows_are_left_out() -> None:
    assert less_flows(D(90), D(-10)) == 100


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-03-09", 24)])
def test_a_new_york_day_is_as_long_as_the_clock_says(day: str, hours: int) -> None:
    start, end = bounds(date.fromisoformat(day))
    assert end - start == timedelta(hours=hours)
