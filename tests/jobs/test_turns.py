"""Turns: one process of several does the work, and what takes long is done more seldom."""

import threading
from datetime import timedelta

import pytest

from database.pool import Pool
from errors import Unavailable
from jobs import background
from jobs.background import Turn
from tests.conftest import run_sql
from tests.processes import wait_until


def lease_left(url: str) -> timedelta:
    (left,) = run_sql(url, "SELECT expires_at - now() FROM job_lease WHERE name = 'w-turn'")[0]
    assert isinstance(left, timedelta)
    return left


@pytest.mark.parametrize("fails", [False, True])
def test_what_takes_long_is_done_more_seldom(database_url: str, fails: bool) -> None:
    pool, done, times = Pool(database_url, 1), threading.Event(), 0

    def work(halted: object) -> None:
        nonlocal times
        times += 1
        done.wait(0.2)
        if fails:
            raise Unavailable("the database is away")

    turn = Turn("w", 20, work, share=0.001)
    try:
        background._take(pool, turn, threading.Event())
    except Unavailable:
        assert fails
    assert lease_left(database_url) > timedelta(seconds=100)
    background._take(pool, turn, threading.Event())
    assert times == 1
    pool.close()


def test_work_that_fails_leaves_the_others_their_turn(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "LOOK_SECONDS", 0.02)
    done: list[str] = []

    def broken(halted: object) -> None:
        raise Unavailable("the database is away")

    turns = [Turn("b", 60, broken), Turn("w", 60, lambda halted: done.append("w"))]
    taking = background.take_turns(database_url, turns)
    wait_until(lambda: done == ["w"], 10, "the turn of the other")
    taking.stop()
