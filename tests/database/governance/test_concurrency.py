"""Caps and kill switch with many processes at once: nothing over a cap, nothing after the flip."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from database.governance import audit, go_live, regression, risk
from database.pool import Pool
from state import jsontext
from tests.conftest import run_sql
from tests.database.governance import reserving
from tests.database.governance.reserving import OPERATOR, TESTER, in_processes, open_caps, reserve, settle

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    made = Pool(database_url, 6)
    yield made
    made.close()


def count(url: str, action: str) -> int:
    number = run_sql(url, f"SELECT count(*) FROM risk_event WHERE action = '{action}'")[0][0]  # noqa: S608
    assert isinstance(number, int)
    return number


def test_two_hundred_reserves_over_four_processes_admit_exactly_the_cap(pool: Pool, database_url: str) -> None:
    start = SPAWN.Event()
    done = threading.Event()
    over: list[object] = []

    def sample() -> None:
        while not done.is_set():
            over.extend(row for row in risk.select_today(pool, "UTC") if row["exposure_left"] < 0)
            rows = {row["engine"]: row for row in risk.select_today(pool, "UTC")}
            over.extend(row for row in rows.values() if row["enabled"] and row["exposure_used"] > 1500)
            if rows["WHOLESALE"]["exposure_used"] > 1000 or rows["WHOLESALE"]["open_risk_reserved"] > 1000:
                over.append(rows["WHOLESALE"])

    sampler = threading.Thread(target=sample)
    sampler.start()
    processes = in_processes(SPAWN, 4, reserving.reserve_many, database_url, 5, 10, "27.5", start)
    start.set()
    for process in processes:
        process.join(60)
    done.set()
    sampler.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert over == []
    assert (count(database_url, "RESERVE"), count(database_url, "DENY")) == (36, 164)  # 36 x 27.5 = 990
    today = {row["engine"]: row for row in risk.select_today(pool, "UTC")}
    for engine in ("GLOBAL", "WHOLESALE"):
        assert (today[engine]["exposure_used"], today[engine]["actions_count"]) == (Decimal("990.0"), 36)
    assert audit.verify(pool).ok
    assert run_sql(database_url, "SELECT seq FROM governance_audit_head") == [(200,)]


def test_no_reserve_commits_after_a_flip_has_returned(pool: Pool, database_url: str) -> None:
    open_caps(pool, 10**9)
    stop = SPAWN.Event()
    processes = in_processes(SPAWN, 4, reserving.reserve_until, database_url, 4, stop)
    late = []
    try:
        for _ in range(20):
            before = count(database_url, "RESERVE")
            while count(database_url, "RESERVE") < before + 4:  # the writers are at work
                assert all(process.is_alive() for process in processes)
                time.sleep(0.005)
            go_live.set_kill_switch(pool, OPERATOR, engaged=True)
            at_flip = count(database_url, "RESERVE")
            time.sleep(0.03)
            late.append(count(database_url, "RESERVE") - at_flip)
            go_live.set_kill_switch(pool, OPERATOR, engaged=False)
    finally:
        stop.set()
        for process in processes:
            process.join(30)
    assert late == [0] * 20
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    told = run_sql(database_url, "SELECT count(*) FROM notice WHERE kind = 'kill_switch'")
    assert told == [(20,)]


def test_a_killed_holder_of_the_lock_holds_up_nobody(pool: Pool, database_url: str) -> None:
    held = SPAWN.Event()
    holder = SPAWN.Process(target=reserving.hold_the_lock, args=(database_url, held))
    holder.start()
    assert held.wait(30)
    os.kill(holder.pid or 0, signal.SIGKILL)
    assert reserve(pool, 10)["ok"]
    holder.join(10)


def test_a_killed_client_s_budget_comes_back_with_its_time(pool: Pool, database_url: str) -> None:
    lost = reserve(pool, 1000, reservation_id="lost")
    assert not reserve(pool, 1000)["ok"]
    run_sql(database_url, "UPDATE risk_reservation SET expires_at = clock_timestamp()")
    assert reserve(pool, 1000)["ok"]
    assert lost["ok"]
    assert count(database_url, "EXPIRE") == 1


def test_two_lookers_at_once_act_once(pool: Pool, database_url: str) -> None:
    events = [
        {"domain": "WHOLESALE", "metric": "contract_rate", "success": n < 200 or n % 2 == 0, "event_key": None}
        for n in range(250)
    ]
    regression.record_kpis(pool, TESTER, events)
    regression.upsert_policy(pool, OPERATOR, "WHOLESALE", "contract_rate", {"enabled": True})
    start = SPAWN.Event()
    processes = in_processes(SPAWN, 4, reserving.look_at_wire, database_url, start)
    start.set()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    trips = run_sql(database_url, "SELECT count(*) FROM governance_audit WHERE action = 'regression.trip'")
    assert trips == [(1,)]
    assert run_sql(database_url, "SELECT count(*) FROM notice WHERE kind = 'tripwire'") == [(1,)]


def test_a_settlement_and_its_repeats_at_once_count_once(pool: Pool, database_url: str) -> None:
    reservation = reserve(pool, 100)["reservation_id"]
    answers: list[object] = []
    reserving.in_threads(6, lambda: answers.append(settle(pool, reservation, loss=7, filled=60)))
    assert len(answers) == 6
    assert len({jsontext.dump(answer) for answer in answers}) == 1
    today = {row["engine"]: row for row in risk.select_today(pool, "UTC")}
    assert (today["GLOBAL"]["realized_loss"], today["GLOBAL"]["exposure_used"]) == (7, 60)
