"""Starting a job twice is safe, a missed night is caught up, and every run is on record."""

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from database import jobs as store
from database.pool import Pool
from errors import SettingsError, Unavailable
from jobs import JOBS, running
from jobs.__main__ import main
from settings import Settings, load
from tests.conftest import run_sql
from tests.jobs.counting import FAILING, NIGHTLY, PLAIN, lines, start

NOON = datetime(2026, 3, 10, 16, tzinfo=UTC)


def rows(settings: Settings, columns: str) -> list[tuple[object, ...]]:
    return run_sql(settings.database_url or "", f"SELECT {columns} FROM job_runs ORDER BY id")  # noqa: S608


@pytest.mark.parametrize("nightly", [False, True])
def test_started_by_two_schedulers_at_once_it_runs_once(settings: Settings, nightly: bool) -> None:
    environment = {"DATABASE_URL": settings.database_url or "", "ALERTBOOK_DATA_DIR": str(settings.data_dir)}
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as processes:
        results = [job.result() for job in [processes.submit(start, environment, nightly) for _ in range(3)]]
    ran = [result for result in results if "skipped" not in result]
    assert len(ran) == len(lines(settings)) == len(rows(settings, "id"))
    assert len(ran) == 1 if nightly else len(ran) >= 1


def test_a_night_runs_once_and_a_missed_one_is_caught_up(settings: Settings) -> None:
    running.run(NIGHTLY, settings, (), now=NOON)
    running.run(NIGHTLY, settings, (), now=NOON + timedelta(hours=3))
    assert lines(settings) == ["2026-03-09"]
    running.run(NIGHTLY, settings, (), now=NOON + timedelta(days=2))
    assert lines(settings) == ["2026-03-09", "2026-03-10", "2026-03-11"]
    running.run(NIGHTLY, settings, (), now=NOON + timedelta(days=10))
    assert lines(settings)[3:] == ["2026-03-18", "2026-03-19"]


def test_the_day_is_new_yorks(settings: Settings) -> None:
    running.run(NIGHTLY, settings, (), now=datetime(2026, 3, 11, 3, 30, tzinfo=UTC))  # 23:30 on the 10th
    assert lines(settings) == ["2026-03-09"]


def test_a_day_can_be_asked_for(settings: Settings) -> None:
    running.run(NIGHTLY, settings, ("2026-02-01",), now=NOON)
    again = running.run(NIGHTLY, settings, ("2026-02-01",), now=NOON)
    assert (lines(settings), "skipped" in again.result) == (["2026-02-01"], True)
    for words in (("yesterday",), ("2026-03-10",)):
        with pytest.raises(SettingsError):
            running.run(NIGHTLY, settings, words, now=NOON)


def test_a_failed_night_is_run_again(settings: Settings) -> None:
    with pytest.raises(Unavailable):
        running.run(FAILING, settings, (), now=NOON)
    assert rows(settings, "status, error, finished_at IS NOT NULL") == [("failed", "the work cannot be done now", True)]
    with Pool(settings.database_url or "", 1).transaction() as connection:
        connection.cursor().execute("UPDATE job_runs SET job = 'nightly', day = '2026-03-09'")
    running.run(NIGHTLY, settings, (), now=NOON)
    assert lines(settings) == ["2026-03-09"]


def test_the_lease_of_a_dead_process_ends_and_its_run_is_lost(settings: Settings) -> None:
    pool = Pool(settings.database_url or "", 1)
    assert store.take_lease(pool, "plain", "a dead process", 60)
    store.start_run(pool, "plain", None, "a dead process")
    assert running.run(PLAIN, settings, (), now=NOON) == running.BUSY
    run_sql(settings.database_url or "", "UPDATE job_lease SET expires_at = now() - INTERVAL '1 second'")
    running.run(PLAIN, settings, (), now=NOON)
    assert [row[0] for row in rows(settings, "status")] == ["lost", "done"]
    assert not store.renew_lease(pool, "plain", "a dead process", 60)
    pool.close()


def test_a_run_that_was_taken_for_lost_does_not_overwrite_its_successor(settings: Settings) -> None:
    pool = Pool(settings.database_url or "", 1)
    first = store.start_run(pool, "plain", date(2026, 1, 1), "one")
    store.start_run(pool, "plain", date(2026, 1, 1), "two")
    assert not store.finish_run(pool, first, exit_code=0, result={}, error=None)
    pool.close()


def test_without_a_database_there_is_a_sentence(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        running.run(PLAIN, load({"ALERTBOOK_DATA_DIR": str(settings.data_dir)}), (), now=NOON)


def test_the_command_line_lists_jobs() -> None:
    listed = CliRunner().invoke(main, ["list"]).output
    assert all(job.name in listed for job in JOBS)


def test_jobs_are_listed_with_their_last_run(client: FlaskClient, settings: Settings) -> None:
    names = [job.name for job in JOBS]
    answer = client.get("/api/v1/jobs").get_json()
    assert [item["name"] for item in answer["items"]] == names
    assert all(item["last_run"] is None and item["running"] is False for item in answer["items"])
