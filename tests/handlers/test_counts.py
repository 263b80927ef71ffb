"""The public numbers: exact, cheap however many rows there are, and no failing count takes the others with it."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from database import counts, research
from database.pool import Pool
from database.queries import QUERIES
from jobs import retention
from settings import load
from tests.conftest import run_sql
from tests.processes import wait_until
from web_server import create_app

FILL = "INSERT INTO telemetry_events (kind) SELECT 'k' FROM generate_series(1, {})"


def count(url: str) -> int:
    pool = Pool(url, 1)
    try:
        return counts.count_large(pool, "telemetry_events")
    finally:
        pool.close()


def marked(url: str) -> object:
    rows = run_sql(url, "SELECT counted FROM row_count WHERE table_name = 'telemetry_events'")
    return rows[0][0] if rows else None


@pytest.fixture(autouse=True)
def small_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "TAIL", 10)


def test_counts_follow_every_insert(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "FRESH_SECONDS", 0)
    for number in range(1, 4):
        client.post("/api/capital/intake", json={"source": "a", "amount": 1})
        assert client.get("/api/metrics").get_json()["capital_intake_records"] == number


def test_between_two_counts_nothing_is_asked(app: Flask, database_url: str) -> None:
    client = app.test_client()
    assert client.get("/api/metrics").get_json()["telemetry_events"] == 0
    run_sql(database_url, FILL.format(5))
    assert client.get("/api/metrics").get_json()["telemetry_events"] == 0
    assert counts.FRESH_SECONDS < 5


def test_a_mark_spares_counting_again(database_url: str) -> None:
    run_sql(database_url, FILL.format(30))
    assert (count(database_url), marked(database_url)) == (30, 30)
    run_sql(database_url, FILL.format(7))
    assert (count(database_url), marked(database_url)) == (37, 30)
    run_sql(database_url, FILL.format(7))
    assert (count(database_url), marked(database_url)) == (44, 44)


def test_no_mark_is_set_over_an_insert_under_way(database_url: str) -> None:
    run_sql(database_url, FILL.format(30))
    pool = Pool(database_url, 1)
    with pool.transaction() as writer:
        writer.cursor().execute("INSERT INTO telemetry_events (kind) VALUES ('slow')")
        run_sql(database_url, FILL.format(1))
        assert (count(database_url), marked(database_url)) == (31, None)
    assert (count(database_url), marked(database_url)) == (32, 32)
    pool.close()


@pytest.mark.parametrize("change", ["TRUNCATE telemetry_events", "DELETE FROM telemetry_events WHERE id % 2 = 0"])
def test_rows_that_go_are_noticed(database_url: str, change: str) -> None:
    run_sql(database_url, FILL.format(30))
    assert count(database_url) == 30
    run_sql(database_url, change)
    run_sql(database_url, "SELECT pg_stat_force_next_flush()")
    left = run_sql(database_url, "SELECT count(*) FROM telemetry_events")[0][0]
    assert count(database_url) == left
    run_sql(database_url, FILL.format(3))
    assert count(database_url) == int(str(left)) + 3


def test_what_retention_deletes_needs_no_new_count(database_url: str, tmp_path: Path) -> None:
    run_sql(database_url, FILL.format(30))
    assert (count(database_url), marked(database_url)) == (30, 30)
    run_sql(database_url, "UPDATE telemetry_events SET created_at = '2020-01-01' WHERE id % 3 = 0")
    run_sql(database_url, FILL.format(5))
    run_sql(database_url, "UPDATE telemetry_events SET created_at = '2020-01-01' WHERE id = 33")
    environ = {"DATABASE_URL": database_url, "ALERTBOOK_DATA_DIR": str(tmp_path), "RETENTION_ENABLED": "1"}
    assert retention.run(load(environ), ()).result["removed"]["telemetry"] == 11
    # the mark stands, less the ten below it, before and after the statistics know of the deletion
    for _ in range(2):
        assert (count(database_url), marked(database_url)) == (24, 20)
        run_sql(database_url, "SELECT pg_stat_force_next_flush()")
    # what somebody else deletes after that is noticed all the same
    run_sql(database_url, "DELETE FROM telemetry_events WHERE id < 5")
    run_sql(database_url, "SELECT pg_stat_force_next_flush()")
    left = run_sql(database_url, "SELECT count(*) FROM telemetry_events")[0][0]
    assert (count(database_url), left) == (21, 21)


def test_deletions_are_not_taken_off_a_count_that_no_longer_holds(database_url: str) -> None:
    pool = Pool(database_url, 1)
    source = run_sql(
        database_url, "INSERT INTO research_sources (name, url, kind) VALUES ('s', 'http://s', 'k') RETURNING id"
    )[0][0]
    fill = "INSERT INTO research_docs (source_id, content, chunk_index) SELECT {}, 'c', n FROM generate_series(1, 30) n"
    run_sql(database_url, fill.format(source))
    assert counts.count_large(pool, "research_docs") == 30
    run_sql(database_url, "DELETE FROM research_docs WHERE id <= 10")
    run_sql(database_url, "SELECT pg_stat_force_next_flush()")
    assert research.delete_source(pool, int(str(source))) == 20
    assert counts.count_large(pool, "research_docs") == 0
    pool.close()


def test_a_count_and_a_deletion_at_once_take_turns(database_url: str) -> None:
    run_sql(database_url, FILL.format(30))
    assert count(database_url) == 30
    run_sql(database_url, FILL.format(20))
    pool = Pool(database_url, 2)
    with pool.transaction() as deleting, ThreadPoolExecutor(1) as counting:
        QUERIES.counts.lock_mark(deleting, table_name="telemetry_events")
        counted = counting.submit(counts.count_large, pool, "telemetry_events")
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        wait_until(lambda: bool(run_sql(database_url, waiting)), 10, "a count that waits")
        delete = partial(QUERIES.retention.delete_old_telemetry, before="2999-01-01", batch=8)
        assert counts.delete_noted(deleting, "telemetry_events", delete) == 8
        deleting.commit()
        assert counted.result(10) == 42
    assert counts.count_large(pool, "telemetry_events") == 42
    pool.close()


def test_one_failing_count_leaves_the_others(client: FlaskClient, database_url: str) -> None:
    client.post("/api/telemetry", json={"kind": "k"})
    run_sql(database_url, "DROP TABLE playbooks")
    run_sql(database_url, "DROP TABLE research_docs")
    found = client.get("/api/metrics").get_json()
    assert (found["ok"], found["playbooks"], found["research_docs"], found["telemetry_events"]) == (
        False,
        None,
        None,
        1,
    )
    assert set(found["notes"]) == {"playbooks", "research_docs"}


def test_without_a_database_the_requests_are_still_counted() -> None:
    client = create_app(load({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})).test_client()
    client.get("/healthz")
    found = client.get("/api/metrics").get_json()
    assert (found["ok"], found["telemetry_events"], len(found["notes"])) == (False, None, 6)
    assert found["requests_total"] >= 1
