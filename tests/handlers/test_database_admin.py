"""The operator's hands on the database."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from database import migrate
from settings import load
from tests.conftest import run_sql
from web_server import create_app


def test_an_empty_database_is_brought_up_to_date(empty_database_url: str) -> None:
    client = create_app(load({"DATABASE_URL": empty_database_url})).test_client()
    behind = client.get("/api/admin/db/check").get_json()
    assert (behind["ok"], behind["all_tables_exist"], behind["current"]) == (False, False, None)
    done = client.post("/api/admin/migrate")
    assert (done.status_code, done.get_json()["applied"]) == (200, migrate.names())
    assert client.post("/api/admin/migrate").get_json() == {"ok": True, "applied": [], "current": migrate.names()[-1]}
    after = client.get("/api/admin/db/check").get_json()
    assert (after["ok"], after["missing_tables"], after["pending_migrations"]) == (True, [], [])
    assert {"automated_signals", "capital_intake", "telemetry_events"} <= {table["name"] for table in after["tables"]}
    assert all(table["bytes"] >= 0 for table in after["tables"])


def test_a_failed_migration_is_said_without_its_sql(client: FlaskClient, database_url: str) -> None:
    last = migrate.names()[-1]
    run_sql(database_url, "DELETE FROM _yoyo_migration WHERE migration_id = '0040.job_runs'")
    failed = client.post("/api/admin/migrate")
    body = failed.get_json()
    assert (failed.status_code, body["ok"], body["applied"], body["current"]) == (500, False, [], last)
    assert body["error"].startswith("0040.job_runs failed;")
    assert (body["code"], "CREATE" in failed.get_data(as_text=True)) == ("MIGRATION_FAILED", False)


def test_what_is_wrong_is_named(client: FlaskClient, database_url: str) -> None:
    run_sql(database_url, "DROP TABLE playbooks")
    assert client.get("/api/admin/db/check").get_json()["missing_tables"] == ["playbooks"]


def test_without_a_database() -> None:
    client = create_app(load({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})).test_client()
    answer = client.post("/api/admin/migrate")
    assert (answer.status_code, answer.get_json()["current"]) == (500, None)
    assert client.get("/api/admin/db/check").status_code == 503


def _older_tables(url: str) -> None:
    for statement in (
        "CREATE TABLE capital_intake (id SERIAL PRIMARY KEY, source VARCHAR(100) NOT NULL, currency VARCHAR(10), "
        "amount NUMERIC(14, 2) NOT NULL, note VARCHAR(255), created_at TIMESTAMP)",
        "INSERT INTO capital_intake (source, currency, amount, note, created_at) VALUES "
        "('fx', 'CAD', 12.34, 'n', '2025-01-01 10:00:00'), ('old', NULL, 1, NULL, NULL)",
        "CREATE TABLE telemetry_events (id SERIAL PRIMARY KEY, kind VARCHAR(80) NOT NULL, message TEXT, "
        "meta_json TEXT, created_at TIMESTAMPTZ)",
        "INSERT INTO telemetry_events (kind) VALUES ('build')",
        "CREATE TABLE playbooks (id SERIAL PRIMARY KEY, slug VARCHAR(255) UNIQUE NOT NULL, title VARCHAR(512), "
        "body_md TEXT, tags VARCHAR(512), enabled BOOLEAN, created_at TIMESTAMP, updated_at TIMESTAMP)",
        "INSERT INTO playbooks (slug, title, body_md) VALUES ('a', 'A', '# A')",
        "CREATE TABLE research_sources (id SERIAL PRIMARY KEY, name VARCHAR(255), url VARCHAR(2048), "
        "kind VARCHAR(50), tags VARCHAR(512))",
        "INSERT INTO research_sources (name, url) VALUES ('s', 'https://example.com')",
        "CREATE TABLE research_docs (id SERIAL PRIMARY KEY, source_id INTEGER REFERENCES research_sources (id), "
        "title VARCHAR(512), content TEXT, embedding_json JSON)",
        "INSERT INTO research_docs (source_id, title, content) VALUES (1, 'gaps', 'Gaps fill.')",
    ):
        run_sql(url, statement)


def test_an_older_systems_tables_are_taken_over_with_every_row(empty_database_url: str) -> None:
    _older_tables(empty_database_url)
    migrate.apply(empty_database_url)
    client = create_app(load({"DATABASE_URL": empty_database_url})).test_client()
    rows = [(row["source"], row["currency"], row["created_at"]) for row in client.get("/api/capital/intake").get_json()]
    assert rows == [("fx", "CAD", "2025-01-01T10:00:00+00:00"), ("old", "CAD", "1970-01-01T00:00:00+00:00")]
    wide = {"source": "x" * 120, "amount": "9999999999999999.99", "note": "y" * 280}
    assert client.post("/api/capital/intake", json=wide).get_json()["id"] == 3
    assert client.get("/api/telemetry").get_json()["items"][0]["kind"] == "build"
    assert client.get("/api/playbooks/a").get_json()["enabled"] is True
    assert client.post("/api/research/query", json={"q": "gap"}).get_json()["result_count"] == 1
    assert client.get("/api/metrics").get_json()["ok"] is True


def test_records_are_not_dropped_by_a_rollback(database_url: str) -> None:
    run_sql(database_url, "INSERT INTO telemetry_events (kind) VALUES ('k')")
    with pytest.raises(migrate.MigrationError, match="capital or telemetry records exist"):
        migrate.rollback_to(database_url, "0040.job_runs", Path(migrate.MIGRATIONS))
    assert run_sql(database_url, "SELECT kind FROM telemetry_events") == [("k",)]
