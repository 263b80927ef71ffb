"""The analysis by hand calculation, and the laws that any set of trades must keep."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state import analysis
from state.analysis import Result
from state.lifecycle import ACTIVE, COMPLETED
from state.newyork import to_new_york
from state.statistics import Outcome, sample, summarise

START = datetime(2026, 11, 2, 14, 30, tzinfo=UTC)  # Monday 09:30 in New York


def result(number: int, r: str | None = "1", **more: Any) -> Result:
    told: dict[str, Any] = {
        "status": COMPLETED,
        "entered_ny": to_new_york(START + timedelta(hours=number)),
        "session": "NY AM",
    }
    told["exit_time"] = told["entered_ny"] + timedelta(minutes=5)
    return Result(trade_id=f"T{number:03}", realized_r=None if r is None else Decimal(r), **{**told, **more})


def outcome(number: int, r: str) -> Outcome:
    return result(number, r).outcome


def test_equity_adds_in_order_of_exit_and_measures_from_the_running_peak() -> None:
    rows = [outcome(2, "-1.5"), outcome(0, "2"), outcome(1, "1"), outcome(3, "0.5")]
    curve = analysis.equity_curve(analysis.steps_of(rows))
    assert [point.equity for point in curve] == [Decimal(2), Decimal(3), Decimal("1.5"), Decimal(2)]
    assert [point.underwater for point in curve] == [0, 0, Decimal("-1.5"), Decimal("-1")]


def test_a_curve_that_begins_with_a_loss_is_under_water_at_once() -> None:
    assert [point.underwater for point in analysis.equity_curve(analysis.steps_of([outcome(0, "-1")]))] == [Decimal(-1)]


results_in_r = st.lists(st.integers(-40, 60).map(lambda tenth: str(Decimal(tenth) / 10)), max_size=60)


@given(results_in_r)
def test_the_curve_agrees_with_the_statistics(values: list[str]) -> None:
    rows = [outcome(number, value) for number, value in enumerate(values)]
    curve, stats = analysis.equity_curve(analysis.steps_of(rows)), summarise(rows)
    figures = analysis.period_figures(sample(rows), -curve[-1].underwater if curve else None)
    assert stats["max_drawdown_r"] == (-min(point.underwater for point in curve) if curve else None)
    assert figures["net_r"] == (sample(rows).results_sum if values else None)
    assert figures["current_drawdown_r"] == (-curve[-1].underwater if curve else None)


@given(results_in_r, st.integers(3, 20))
def test_thinning_keeps_the_extremes_and_the_end(values: list[str], most: int) -> None:
    curve = analysis.equity_curve(analysis.steps_of(outcome(number, value) for number, value in enumerate(values)))
    thin = analysis.thinned(curve, most)
    assert len(thin) <= max(most, 3)
    assert [point for point in curve if point in thin] == thin
    if curve:
        assert thin[-1] == curve[-1]
        for pick in (min, max):
            assert pick(p.equity for p in thin) == pick(p.equity for p in curve)


@given(results_in_r)
def test_every_decided_trade_is_in_one_bin(values: list[str]) -> None:
    bins = analysis.histogram(result(number, value) for number, value in enumerate(values))
    assert sum(bin_["count"] for bin_ in bins) == len(values)


def test_bins_take_their_lower_edge_and_not_their_upper() -> None:
    bins = {bin_["from"]: bin_["count"] for bin_ in analysis.histogram([result(0, "0.5"), result(1, "0.49")])}
    assert (bins[Decimal("0.5")], bins[Decimal(0)]) == (1, 1)
    ends = analysis.histogram([result(0, "-99"), result(1, "99")])
    assert (ends[0]["count"], ends[-1]["count"], ends[-1]["to"]) == (1, 1, None)


def test_a_group_tells_no_rate_of_fewer_than_five_trades() -> None:
    few = analysis.by_session([result(number, "1") for number in range(4)])
    assert few == [
        {
            "name": "NY AM", "trades": 4, "n": 4, "win_rate_n": 4, "net_r": Decimal(4),
            "expectancy_r": None, "win_rate": None, "profit_factor": None,
        }
    ]  # fmt: skip
    (enough,) = analysis.by_session([result(number, "1" if number else "-1") for number in range(5)])
    assert (enough["win_rate"], enough["expectancy_r"], enough["profit_factor"]) == (80, Decimal("0.6"), 4)


def test_groups_stand_in_the_order_of_the_day_and_the_week() -> None:
    rows = [result(0, session="NY PM"), result(24, session="ASIA"), result(25, session=None), result(1, session="X")]
    assert [group["name"] for group in analysis.by_session(rows)] == ["ASIA", "NY PM", "X", "(none)"]
    assert [group["name"] for group in analysis.by_weekday(rows)] == ["Monday", "Tuesday"]
    assert [group["name"] for group in analysis.by_hour(rows)] == ["09:00", "10:00"]


def test_the_calendar_counts_by_new_yorks_day() -> None:
    late = result(0, "2", entered_ny=to_new_york(datetime(2026, 11, 3, 4, 59, tzinfo=UTC)))  # 23:59 of the 2nd
    open_one = result(1, None, status=ACTIVE)
    days = analysis.calendar([result(0, "-1"), late, open_one])
    assert days == {date(2026, 11, 2): {"trades": 3, "n": 2, "net_r": Decimal(1)}}


def test_rolling_expectancy_begins_with_a_full_window() -> None:
    rows = [outcome(number, value) for number, value in enumerate(("1", "2", "3", "-2"))]
    rolling = analysis.rolling_expectancy(analysis.steps_of(rows), window=3)
    assert [value for _, value in rolling] == [Decimal(2), Decimal(1)]
    assert analysis.rolling_expectancy(analysis.steps_of(rows), window=5) == []


def test_break_even_against_leaving_the_stop() -> None:
    legs = (("0.4", "0.4"), ("1.2", "3.5"), ("2.5", "2.5"), ("1", "1"), ("0.9", "0.9"))
    rows = [result(n, be_mfe=Decimal(be), no_be_mfe=Decimal(no)) for n, (be, no) in enumerate(legs)]
    told = analysis.stop_strategies(rows)
    by_target = {row["target"]: row for row in told["targets"]}
    assert told["n"] == 5
    assert told["be_mfe"] == Decimal("1.2")
    at_two = by_target[Decimal(2)]  # with: -1, 0, 2, 0, -1; without: -1, 2, 2, -1, -1
    assert (at_two["be_expectancy"], at_two["no_be_expectancy"]) == (0, Decimal("0.2"))
    assert (at_two["be_reached"], at_two["no_be_reached"]) == (20, 40)
    few = analysis.stop_strategies(rows[:4])
    assert (few["n"], few["be_mfe"], few["targets"][0]["be_expectancy"]) == (4, None, None)


def test_a_change_needs_both_periods() -> None:
    assert analysis.change({"a": Decimal(3)}, {"a": Decimal(1)}, "a") == 2
    assert analysis.change({"a": Decimal(3)}, {"a": None}, "a") is None


def test_a_trade_of_which_an_alert_is_missing_is_in_no_figure() -> None:
    rows = [result(number) for number in range(6)]
    sure, unsure = analysis.figures(rows), analysis.figures([*rows, result(9, "-7", uncertain=True)])
    assert unsure == {**sure, "trades": 7}
    assert len(analysis.steps_of([*(row.outcome for row in rows), result(9, "-7", uncertain=True).outcome])) == 6
    assert analysis.calendar([result(0, "-7", uncertain=True)])[date(2026, 11, 2)]["net_r"] is None


def test_a_result_in_points_counts_in_the_win_rate_alone() -> None:
    rows = [result(0, "1"), *(result(number, None, realized_points=Decimal(number - 3)) for number in range(1, 7))]
    found = analysis.figures(rows)
    assert (found["n"], found["win_rate_n"], found["net_r"], found["expectancy_r"]) == (1, 7, 1, None)
    stats = summarise([row.outcome for row in rows])
    assert found["win_rate"] == stats["win_rate"] is not None


@given(
    st.lists(
        st.tuples(st.sampled_from([None, "-1", "0", "1.5"]), st.sampled_from([None, "-2", "0", "3"]), st.booleans())
    )
)
def test_the_figures_of_a_group_are_those_of_the_statistics(told: list[tuple[str | None, str | None, bool]]) -> None:
    rows = [
        result(number, r, realized_points=None if points is None else Decimal(points), uncertain=uncertain)
        for number, (r, points, uncertain) in enumerate(told)
    ]
    found, stats = analysis.figures(rows), summarise([row.outcome for row in rows])
    assert (found["n"], found["win_rate_n"]) == (stats["expectancy_n"], stats["win_rate_n"])
    assert found["win_rate"] == (stats["win_rate"] if stats["win_rate_n"] >= analysis.MIN_TRADES else None)
    for name in ("expectancy_r", "profit_factor"):
        assert found[name] == (stats[name] if stats["expectancy_n"] >= analysis.MIN_TRADES else None)
