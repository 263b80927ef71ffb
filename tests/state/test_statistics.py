"""The numbers of many trades, each against a hand calculation."""

import time
from datetime import timedelta
from decimal import Decimal, localcontext

import pytest

from state.statistics import METRICS, Outcome, outcome_of, summarise
from tests.state.builders import OPENING, at, entry, event, trade

COUNTS = {
    "total_signals", "unique_trades", "active_count", "completed_count", "pending_count", "cancelled_count",
    "unknown_count", "uncertain_count", "win_count", "loss_count", "breakeven_count",
}  # fmt: skip
RATES = {
    "win_rate": "win_rate_n",
    "avg_mfe": "avg_mfe_n",
    "avg_r": "avg_r_n",
    "expectancy_r": "expectancy_n",
    "profit_factor": "profit_factor_n",
    "max_drawdown_r": "max_drawdown_n",
}


def done(result: str | None, minute: float = 0, mfe: str | None = None, trade_id: str = "") -> Outcome:
    return Outcome(
        trade_id=trade_id or f"T{minute}",
        status="COMPLETED",
        realized_r=None if result is None else Decimal(result),
        max_mfe=None if mfe is None else Decimal(mfe),
        exit_time=at(minute),
    )


def in_sequence(*results: str) -> list[Outcome]:
    return [done(result, minute) for minute, result in enumerate(results)]


def test_nothing_measures_as_null_with_samples_of_none() -> None:
    found = summarise([])
    assert set(found) == COUNTS | set(RATES) | set(RATES.values())
    assert all(found[name] == 0 for name in COUNTS | set(RATES.values()))
    assert all(found[name] is None for name in RATES)


def test_every_metric_is_registered_once_with_its_unit() -> None:
    assert [metric.name for metric in METRICS if metric.sample_name is None] == [
        name for name in summarise([]) if name in COUNTS
    ]
    assert {metric.name: metric.sample_name for metric in METRICS if metric.sample_name} == RATES
    assert {metric.unit for metric in METRICS} == {"alerts", "trades", "percent", "R", "ratio"}


def test_counts_by_status() -> None:
    statuses = ["ACTIVE", "ACTIVE", "BE_PROTECTED", "PENDING", "CANCELLED", "CANCELLED", "UNKNOWN", "COMPLETED"]
    rows = [Outcome(f"T{number}", status, event_count=number) for number, status in enumerate(statuses)]
    found = summarise(rows)
    assert found["unique_trades"] == 8
    assert found["total_signals"] == 28
    assert summarise(rows, total_signals=99)["total_signals"] == 99
    counts = {name: found[f"{name}_count"] for name in ("active", "pending", "cancelled", "unknown", "completed")}
    assert counts == {"active": 3, "pending": 1, "cancelled": 2, "unknown": 1, "completed": 1}


def test_the_numbers_of_a_small_book() -> None:
    found = summarise([*in_sequence("2", "-1", "0", "1.5", "-0.5"), done(None, 9)])
    assert (found["win_count"], found["loss_count"], found["breakeven_count"]) == (2, 2, 1)
    assert found["completed_count"] == 6
    assert found["win_rate"] == 40
    assert found["avg_r"] == found["expectancy_r"] == Decimal("0.4")
    assert found["profit_factor"] == Decimal(7) / 3
    assert found["max_drawdown_r"] == 1
    assert {found[name] for name in RATES.values() if name != "avg_mfe_n"} == {5}
    assert (found["avg_mfe"], found["avg_mfe_n"]) == (None, 0)


def test_expectancy_is_the_two_sided_formula() -> None:
    found = summarise(in_sequence("3", "1", "-2", "-1", "-1", "0", "0", "0"))
    win, average_win, loss, average_loss = (Decimal(text) for text in ("0.25", "2", "0.375", "1.333333333333333333"))
    assert abs(found["expectancy_r"] - (win * average_win - loss * average_loss)) < Decimal("1e-15")


def test_profit_factor_needs_a_loss_but_not_a_win() -> None:
    assert summarise(in_sequence("1", "0"))["profit_factor"] is None
    assert summarise(in_sequence("-1", "0"))["profit_factor"] == 0


@pytest.mark.parametrize(
    ("results", "drawdown"),
    [
        (["1", "2"], "0"),
        (["0"], "0"),
        (["-1"], "1"),
        (["-1", "-1", "3", "-1.5"], "2"),
        (["1", "-1", "2", "-0.5", "-2", "1", "-1", "9"], "2.5"),
    ],
)
def test_drawdown_is_the_largest_fall_from_the_running_peak_that_starts_at_0(results: list[str], drawdown: str) -> None:
    assert summarise(in_sequence(*results))["max_drawdown_r"] == Decimal(drawdown)


def test_drawdown_follows_the_exits_then_the_ids_not_the_rows() -> None:
    tied = [done("-1", 1, trade_id="a"), done("2", 1, trade_id="b"), done("-1", 1, trade_id="c")]
    assert {summarise(rows)["max_drawdown_r"] for rows in (tied, tied[::-1], [tied[1], tied[0], tied[2]])} == {1}
    timeless = Outcome("0", "COMPLETED", Decimal(-1))
    assert summarise([timeless, *in_sequence("-1", "1", "-1")])["max_drawdown_r"] == 2


def test_avg_mfe_is_of_the_trades_that_were_entered() -> None:
    rows = [
        Outcome("1", "ACTIVE", max_mfe=Decimal(0)),
        Outcome("2", "BE_PROTECTED", max_mfe=Decimal(1)),
        Outcome("3", "COMPLETED", max_mfe=Decimal(3)),
        Outcome("4", "COMPLETED"),
        Outcome("5", "CANCELLED", max_mfe=Decimal(100)),
        Outcome("6", "UNKNOWN", max_mfe=Decimal(100)),
        Outcome("7", "PENDING", max_mfe=Decimal(100)),
    ]
    found = summarise(rows)
    assert (found["avg_mfe"], found["avg_mfe_n"]) == (Decimal(4) / 3, 3)


def test_results_of_trades_that_are_not_completed_do_not_count() -> None:
    assert summarise([Outcome("1", "ACTIVE", realized_r=Decimal(5))])["avg_r"] is None


def test_sums_are_exact_and_quotients_have_28_digits_whatever_the_callers_context() -> None:
    rows = in_sequence("999999", "0.0000000000000000000000000000000000000001", "-1000000")
    with localcontext() as context:
        context.prec = 3
        found = summarise(rows)
        assert str(found["avg_r"]) == "-0.3333333333333333333333333333"
        assert found["max_drawdown_r"] == 1_000_000
        assert str(summarise(in_sequence("1", "1", "-1"))["win_rate"]) == "66.66666666666666666666666667"


def test_a_fold_gives_the_same_outcome_as_its_row() -> None:
    folded = trade(entry(0, mfe=2), event("EXIT_MANUAL", 5, exit_price=110))
    assert outcome_of(folded) == Outcome("T1", "COMPLETED", Decimal(1), Decimal(2), at(5), 2)


def test_fifty_thousand_trades_are_quick() -> None:
    rows = [
        Outcome(f"T{number}", "COMPLETED", Decimal(number % 7 - 3) / 3, Decimal(number % 5) / 7,
                OPENING + timedelta(seconds=number * 7919 % 50_000))
        for number in range(50_000)
    ]  # fmt: skip
    spent = []
    for _ in range(3):
        began = time.process_time()
        assert summarise(rows)["win_rate_n"] == 50_000
        spent.append(time.process_time() - began)
    assert min(spent) < 0.5


def test_points_decide_where_no_r_is_told_and_uncertain_trades_decide_nothing() -> None:
    def position(trade_id: str, points: str | None, uncertain: bool = False) -> Outcome:
        told = None if points is None else Decimal(points)
        return Outcome(trade_id, "COMPLETED", realized_points=told, uncertain=uncertain)

    rows = [position("a", "12.5"), position("b", "-3"), position("c", "0"), position("d", "99", True), done("2")]
    found = summarise(rows)
    assert (found["win_count"], found["loss_count"], found["breakeven_count"], found["uncertain_count"]) == (2, 1, 1, 1)
    assert (found["completed_count"], found["win_rate"], found["win_rate_n"]) == (5, 50, 4)
    assert (found["avg_r"], found["avg_r_n"]) == (2, 1)
