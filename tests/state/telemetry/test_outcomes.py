"""A trade's money: exact, negated by the side alone, and of alerts as of scripts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.telemetry import outcomes
from state.telemetry.outcomes import alert_outcome, pnl, pnl_pct, seconds_between, slippage

prices = st.decimals(min_value="-1000000", max_value="1000000", places=8)
sizes = st.decimals(min_value="0.00000001", max_value="1000000", places=8)


@given(prices, prices, sizes, sizes)
def test_pnl_is_exact(entry: Decimal, leave: Decimal, quantity: Decimal, multiplier: Decimal) -> None:
    expected = (Fraction(leave) - Fraction(entry)) * Fraction(quantity) * Fraction(multiplier)
    assert Fraction(pnl(entry, leave, quantity, multiplier)) == expected
    assert Fraction(pnl(entry, leave, quantity, multiplier, "short")) == -expected


@given(sizes, prices, sizes)
def test_percentages_are_of_the_cost(entry: Decimal, profit: Decimal, quantity: Decimal) -> None:
    found = pnl_pct(profit, entry, quantity, Decimal(2))
    assert found is not None
    expected = Fraction(profit) / (Fraction(entry) * Fraction(quantity) * 2) * 100
    assert abs(Fraction(found) - expected) <= abs(expected) * Fraction(1, 10**25)


def test_an_entry_at_zero_has_no_percentage() -> None:
    assert pnl_pct(Decimal(5), Decimal(0), Decimal(1), Decimal(1)) is None


@pytest.mark.parametrize(
    ("entry", "signal", "side", "expected"),
    [("101", "100", "long", "0.01"), ("101", "100", "short", "-0.01"), ("100", "100", "long", "0")],
)
def test_slippage_is_what_was_worse(entry: str, signal: str, side: str, expected: str) -> None:
    assert slippage(Decimal(entry), Decimal(signal), side) == Decimal(expected)


def test_without_a_signals_price_there_is_no_slippage() -> None:
    assert slippage(Decimal(1), None, "long") is None
    assert slippage(Decimal(1), Decimal(0), "long") is None


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 10**12))
def test_durations_are_exact(start: datetime, micros: int) -> None:
    try:
        end = start + timedelta(microseconds=micros)
    except OverflowError:
        return
    assert Fraction(seconds_between(start, end)) == Fraction(micros, 10**6)


def trade(**more: Any) -> dict[str, Any]:
    told = {
        "trade_id": "t1",
        "symbol": "NQ1!",
        "strategy_id": "S1",
        "strategy": "S1",
        "direction": "Bullish",
        "entry_price": Decimal(100),
        "exit_price": Decimal(110),
        "risk_distance": Decimal(5),
        "realized_r": Decimal(2),
        "exit_reason": "TAKE_PROFIT",
        "entry_time": "2026-01-05T15:00:00+00:00",
        "exit_time": "2026-01-05T15:10:00+00:00",
    }
    return {**told, **more}


def test_an_alert_trade() -> None:
    found = alert_outcome(trade(), Decimal(3))
    assert found is not None
    assert (found["pnl"], found["quantity"], found["side"], found["trade_type"]) == (30, 3, "long", "alert")
    assert found["duration_seconds"] == 600
    assert found["metadata"]["quantity_source"] == "alert"


def test_an_alert_trade_without_a_size_counts_as_one_unit_and_says_so() -> None:
    found = alert_outcome(trade(direction="Bearish"), None)
    assert found is not None
    assert (found["pnl"], found["quantity"]) == (-10, 1)
    assert found["metadata"]["quantity_source"] == "one_unit_assumed"


@pytest.mark.parametrize(
    ("direction", "result", "price"), [("Bullish", "-1", 95), ("Bearish", "-1", 105), ("Bullish", "0", 100)]
)
def test_an_exit_without_a_price_lies_where_its_r_puts_it(direction: str, result: str, price: int) -> None:
    found = alert_outcome(trade(direction=direction, exit_price=None, realized_r=Decimal(result)), Decimal(1))
    assert found is not None
    assert found["exit_price"] == price
    assert found["metadata"]["exit_price_source"] == "realized_r"


@pytest.mark.parametrize(
    "missing",
    [
        {"entry_price": None},
        {"direction": None},
        {"entry_time": None},
        {"exit_price": None, "realized_r": None},
        {"exit_price": None, "risk_distance": None},
        {"exit_time": "2026-01-05T14:00:00+00:00"},
    ],
)
def test_an_alert_trade_without_its_prices_is_no_closed_trade(missing: dict[str, Any]) -> None:
    assert alert_outcome(trade(**missing), Decimal(1)) is None


def test_the_sides_are_what_the_records_say() -> None:
    assert (outcomes.LONG, outcomes.SHORT) == ("long", "short")
