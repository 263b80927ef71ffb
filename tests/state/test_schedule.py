"""Which nights are due."""

from datetime import date

from state.schedule import due_days

TODAY = date(2026, 3, 10)
YESTERDAY = date(2026, 3, 9)
MISSED = date(2026, 3, 8)


def test_the_first_run_ever_has_missed_nothing() -> None:
    assert due_days(TODAY, set(), ran_before=False) == [YESTERDAY]


def test_one_missed_night_is_caught_up_first() -> None:
    assert due_days(TODAY, set(), ran_before=True) == [MISSED, YESTERDAY]
    assert due_days(TODAY, {YESTERDAY}, ran_before=True) == [MISSED]


def test_a_night_is_run_once() -> None:
    assert due_days(TODAY, {YESTERDAY, MISSED}, ran_before=True) == []
    assert due_days(TODAY, {MISSED}, ran_before=True) == [YESTERDAY]
