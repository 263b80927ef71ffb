"""The public numbers: exact, cheap however many rows there are, and no failing count takes the others with it."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from database import counts
from database.pool import Pool
from settings import load
from tests.conftest import run_sql
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
