"""Totals that follow changes equal totals counted anew, whatever changes in whatever order."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state.r_multiple import EXACT
from state.statistics import Outcome, measured, summarise
from state.tally import COLUMNS, KEY, Part, change, changed_days, group, sample_of
from tests.stretches import Stretch, joined

START = datetime(2026, 3, 7, 20, tzinfo=UTC)
numbers = st.none() | st.decimals(-3, 9, places=2) | st.just(Decimal("0.0000000000000000000000000001"))
parts = st.builds(
    Part,
    trade_id=st.sampled_from(["a", "b", "Z", "é"]),
    status=st.sampled_from(["ACTIVE", "COMPLETED", "COMPLETED", "CANCELLED", "PENDING"]),
    session=st.sampled_from([None, "ASIA", "NY AM"]),
    uncertain=st.booleans(),
    trade_time=st.integers(0, 40).map(lambda hours: START + timedelta(hours=hours)),
    exit_time=st.none() | st.integers(0, 90).map(lambda hours: START + timedelta(hours=hours)),
    event_count=st.integers(1, 9),
    max_mfe=numbers,
    realized_r=numbers,
    realized_points=numbers,
)


def outcome(part: Part, number: int) -> Outcome:
    return Outcome(
        f"{number:04d}",
        part.status,
        part.realized_r,
        part.max_mfe,
        part.exit_time,
        part.event_count,
        part.realized_points,
        part.uncertain,
    )


def summed(tallies: list[dict[str, Any]]) -> dict[tuple[Any, ...], list[Any]]:
    sums: dict[tuple[Any, ...], list[Any]] = {}
    for tally in tallies:
        known = sums.setdefault(tuple(tally[name] for name in KEY), [0] * len(COLUMNS))
        for place, column in enumerate(COLUMNS):
            value = tally[column]
            known[place] = (
                EXACT.add(Decimal(known[place]), value) if isinstance(value, Decimal) else known[place] + value
            )
    return {key: amounts for key, amounts in sums.items() if any(amounts)}


@given(st.lists(parts), st.lists(parts), st.lists(parts))
def test_changes_add_up_to_what_is_there(first: list[Part], second: list[Part], third: list[Part]) -> None:
    changes = change([], first) + change(first, second) + change(second, third)
    assert summed(changes) == summed(change([], third))


@given(st.lists(parts))
def test_tallies_measure_what_outcomes_measure(trades: list[Part]) -> None:
    outcomes = [outcome(part, number) for number, part in enumerate(trades)]
    expected = summarise(outcomes)
    assert measured(sample_of(change([], trades), expected["max_drawdown_r"])) == expected
    hours = group(change([], trades), "session")
    assert {name: tally["trades"] for name, tally in hours.items()} == {
        name: sum(part.session == name for part in trades) for name in {part.session for part in trades}
    }


@given(st.lists(st.lists(st.decimals(-5, 5, places=3))))
def test_stretches_fall_as_far_as_their_whole(days: list[list[Decimal]]) -> None:
    single = [joined(_one(result) for result in day) for day in days]
    whole = [result for day in days for result in day]
    expected = summarise(
        Outcome(f"{number:05d}", "COMPLETED", result, exit_time=START + timedelta(seconds=number))
        for number, result in enumerate(whole)
    )
    assert joined(single).total == sum(whole, Decimal(0))
    assert joined(single).drawdown == (expected["max_drawdown_r"] or 0)


def _one(result: Decimal) -> Stretch:
    return Stretch(result, max(result, Decimal(0)), min(result, Decimal(0)), max(-result, Decimal(0)))


@given(st.lists(parts), st.lists(parts))
def test_only_days_whose_results_changed_are_named(before: list[Part], after: list[Part]) -> None:
    days = changed_days(before, after)
    for day in {part.exit_time.date() for part in [*before, *after] if part.exit_time}:
        was, now = ({part.result for part in side if part.result and part.result[0] == day} for side in (before, after))
        assert (day in days) == (was != now)
