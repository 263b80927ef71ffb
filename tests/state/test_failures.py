"""Counting failed authentications by hand."""

import pytest

from state import failures
from state.failures import FREE_FAILURES, MINUTE, Blocked


def test_thirty_are_free_and_the_minute_begins_with_the_first() -> None:
    blocked = Blocked()
    assert [blocked.count("a", float(n)) for n in range(FREE_FAILURES)] == [0.0] * FREE_FAILURES
    assert blocked.count("a", 40.0) == MINUTE - 40
    assert blocked.count("b", 40.0) == 0
    assert blocked.count("a", MINUTE) == 0


def test_a_block_ends() -> None:
    blocked = Blocked()
    blocked.block("a", 10, now=5)
    assert (blocked.left("a", 6), blocked.left("a", 15), blocked.left("b", 6)) == (9, 0, 0)


def test_memory_is_bounded_and_what_is_over_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "KEPT_ADDRESSES", 3)
    blocked = Blocked()
    for n in range(5):
        blocked.block(f"a{n}", 10, now=0)
        blocked.count(f"a{n}", now=0)
    assert [blocked.left(f"a{n}", 1) for n in range(5)] == [9, 9, 9, 0, 0]
    blocked.block("late", 10, now=11)
    assert blocked.left("late", 12) == 9
    for _ in range(FREE_FAILURES):
        blocked.count("late", now=MINUTE)
    assert blocked.count("late", now=MINUTE) > 0
