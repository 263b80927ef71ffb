"""Rhythms by hand."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.cadence import STOP_WINDOW, open_time, rhythm

MONDAY = datetime(2026, 3, 2, 15, tzinfo=UTC)


def every(minutes: float, count: int, start: datetime = MONDAY) -> list[datetime]:
    return [start + timedelta(minutes=minutes * n) for n in range(count)]


def test_silent_after_three_times_the_usual_gap() -> None:
    times = every(10, 20)
    assert not rhythm(times, times[-1] + timedelta(minutes=30)).silent
    late = rhythm(times, times[-1] + timedelta(minutes=31))
    assert late.silent
    assert (late.usual_gap_seconds, late.silent_seconds, late.alerts) == (600, 31 * 60, 20)


def test_how_long_a_strategy_has_been_overdue() -> None:
    times = every(10, 20)
    for minutes, overdue in ((5, 0), (30, 0), (45, 15)):
        assert rhythm(times, times[-1] + timedelta(minutes=minutes)).overdue == timedelta(minutes=overdue)
    assert rhythm(times[:2], times[-1]).overdue == timedelta(0)


def test_a_quick_strategy_has_five_minutes_at_least() -> None:
    times = every(0.1, 20)
    assert not rhythm(times, times[-1] + timedelta(minutes=5)).silent
    assert rhythm(times, times[-1] + timedelta(minutes=5, seconds=1)).silent


def test_too_few_alerts_have_no_rhythm() -> None:
    found = rhythm(every(1, 4), MONDAY + timedelta(days=3))
    assert (found.usual_gap_seconds, found.silent) == (None, False)


def test_one_long_night_in_twenty_gaps_is_no_rhythm_but_several_are() -> None:
    days = [MONDAY + timedelta(days=day, minutes=n) for day in range(4) for n in range(5)]
    assert rhythm(days, days[-1]).usual_gap_seconds == 24 * 3600 - 4 * 60


@pytest.mark.parametrize(
    ("earlier", "later", "hours"),
    [
        (datetime(2026, 3, 2, 15, tzinfo=UTC), datetime(2026, 3, 2, 17, tzinfo=UTC), 2),
        # Friday 16:00 in New York to Monday 09:00: eight hours of Friday, nine of Monday
        (datetime(2026, 2, 27, 21, tzinfo=UTC), datetime(2026, 3, 2, 14, tzinfo=UTC), 17),
        (datetime(2026, 2, 28, 15, tzinfo=UTC), datetime(2026, 3, 1, 15, tzinfo=UTC), 0),
        (datetime(2026, 3, 2, 17, tzinfo=UTC), datetime(2026, 3, 2, 15, tzinfo=UTC), 0),
    ],
)
def test_weekends_do_not_count(earlier: datetime, later: datetime, hours: int) -> None:
    assert open_time(earlier, later) == timedelta(hours=hours)


def test_the_stop_of_busy_alerts() -> None:
    burst = every(0.2, 12)
    assert rhythm(burst, burst[-1]).near_stop
    assert rhythm(burst[:11], burst[-1]).busiest_triggers == 11
    assert not rhythm(burst[:11], burst[-1]).near_stop
    assert not rhythm(burst, burst[-1] + timedelta(minutes=7)).near_stop


@given(st.lists(st.integers(0, 1200), min_size=1, max_size=40))
def test_busiest_is_the_largest_window(offsets: list[int]) -> None:
    times = sorted(MONDAY + timedelta(seconds=offset) for offset in offsets)
    now = times[-1]
    recent = [time for time in times if time > now - 2 * STOP_WINDOW]
    by_hand = max(sum(time - STOP_WINDOW < other <= time for other in recent) for time in recent)
    assert rhythm(times, now).busiest_triggers == by_hand
