"""The audit: unbroken, and every way of tampering with it is found."""

import hashlib
import json
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from click.testing import CliRunner

from database import migrate
from database.governance import audit, risk
from database.governance.audit import AuditUnavailable, Who
from database.pool import Pool
from deploy import cli
from tests.conftest import run_sql
from tests.database.governance.reserving import OPERATOR, reserve, settle


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    made = Pool(database_url, 2)
    yield made
    made.close()


@pytest.fixture
def written(pool: Pool) -> Pool:
    """Five records, one of them with text that JSON has to escape."""
    who = Who('O\'Brien "ops" \\ \u00fc\u20ac\U0001f600\x7f\t\n', "admin:12345678", "because / why", "request-1")
    risk.upsert_policy(pool, who, "WHOLESALE", {"max_daily_loss": 300})
    answer = reserve(pool, "0.10")
    reserve(pool, 10**6)
    settle(pool, answer["reservation_id"], loss="0.00000012")
    risk.upsert_policy(pool, OPERATOR, "CAPITAL", {"enabled": False})
    return pool


def test_the_chain_verifies_and_anybody_can_recompute_it(written: Pool, database_url: str) -> None:
    assert audit.verify(written).ok
    connection = psycopg2.connect(database_url)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prev_hash, seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), actor, "
            "key_id, action, subject, before::text, after::text, reason, request_id, hash "
            "FROM governance_audit ORDER BY seq"
        )
        rows = cursor.fetchall()
    connection.close()
    assert len(rows) == 5
    before = "0" * 64
    for *record, stored in rows:
        assert record[0] == before
        before = hashlib.sha256(json.dumps(record, ensure_ascii=False).encode()).hexdigest()
        assert stored == before
    assert audit.head(written) == f"5:{before}"


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE governance_audit SET actor = 'nobody' WHERE seq = 3", "record 3: its content was changed"),
        ("UPDATE governance_audit SET after = '{}' WHERE seq = 2", "record 2: its content was changed"),
        ("UPDATE governance_audit SET at = at + interval '1 microsecond' WHERE seq = 5", "record 5: its content"),
        ("DELETE FROM governance_audit WHERE seq = 2", "record 3: a record is missing before it"),
        ("DELETE FROM governance_audit WHERE seq = 1", "record 2: a record is missing before it"),
        ("DELETE FROM governance_audit WHERE seq = 5", "the tail was cut off"),
        ("TRUNCATE governance_audit", "the tail was cut off"),
        (
            "UPDATE governance_audit SET seq = CASE seq WHEN 2 THEN 103 ELSE 102 END WHERE seq IN (2, 3);"
            "UPDATE governance_audit SET seq = seq - 100 WHERE seq > 100",
            "record 2: it does not follow",
        ),
        ("DELETE FROM governance_audit_head", "the head row is missing"),
    ],
)
def test_tampering_is_found(written: Pool, database_url: str, tampering: str, found: str) -> None:
    run_sql(database_url, tampering)
    check = audit.verify(written)
    assert not check.ok
    assert found in check.detail


def test_a_tail_removed_together_with_the_head_is_found_by_an_exported_head(written: Pool, database_url: str) -> None:
    exported = audit.head(written)
    assert audit.verify(written, exported).ok
    run_sql(
        database_url,
        "DELETE FROM governance_audit WHERE seq = 5;"
        "UPDATE governance_audit_head SET (seq, hash, prev_hash) = (SELECT seq, hash, prev_hash FROM governance_audit "
        "WHERE seq = 4)",
    )
    assert audit.verify(written).ok
    assert "the tail was cut off" in audit.verify(written, exported).detail
    reserve(written, 1)
    assert "is not the one that was exported" in audit.verify(written, exported).detail
    assert "must read" in audit.verify(written, "nonsense").detail


def test_nothing_changes_without_a_record(written: Pool, database_url: str) -> None:
    run_sql(database_url, "DELETE FROM governance_audit_head")
    with pytest.raises(AuditUnavailable):
        reserve(written, 1)
    with pytest.raises(AuditUnavailable):
        audit.head(written)
    assert run_sql(database_url, "SELECT count(*) FROM risk_event") == [(3,)]


def test_the_role_of_the_application_cannot_rewrite_it(server: str, empty_database_url: str) -> None:
    name = urlsplit(empty_database_url).path[1:]
    run_sql(server, f"CREATE ROLE owner_{name} LOGIN")
    run_sql(server, f"ALTER DATABASE {name} OWNER TO owner_{name}")
    run_sql(empty_database_url, f"GRANT ALL ON SCHEMA public TO owner_{name}")
    parts = urlsplit(empty_database_url)
    url = urlunsplit(parts._replace(netloc=f"owner_{name}@{parts.netloc.rpartition('@')[2]}"))
    migrate.apply(url)
    pool = Pool(url, 1)
    assert reserve(pool, 1)["ok"]
    for statement in ("UPDATE governance_audit SET actor = 'x'", "DELETE FROM governance_audit", "TRUNCATE governance_audit"):  # fmt: skip  # noqa: E501
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run_sql(url, statement)
    assert audit.verify(pool).ok
    pool.close()


def test_deploy_verifies_and_exports(written: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    exported = CliRunner().invoke(cli, ["audit", "head"]).output.strip()
    assert exported == audit.head(written)
    good = CliRunner().invoke(cli, ["audit", "verify", "--head", exported])
    assert (good.exit_code, good.output) == (0, "ok    5 records, unbroken, and they hold the exported head\n")
    run_sql(database_url, "UPDATE governance_audit SET reason = NULL WHERE seq = 1")
    bad = CliRunner().invoke(cli, ["audit", "verify"])
    assert (bad.exit_code, bad.output) == (1, "FAIL  record 1: its content was changed\n")
    monday = CliRunner().invoke(cli, ["review"])
    assert monday.exit_code == 1
    assert json.loads(monday.output)["verdict"] == "halted"
    run_sql(database_url, "DROP TABLE governance_audit_head")
    broken = CliRunner().invoke(cli, ["audit", "head"])
    assert broken.exit_code == 1
    assert "Traceback" not in broken.output


def test_the_older_names_of_the_migrations_lead_back(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL_DIRECT", database_url)
    back = CliRunner().invoke(cli, ["rollback", "--to", "20260113_heimdall_charter"])
    assert back.exit_code == 0, back.output
    assert "undone 0024.20260113_regression_tripwire" in back.output
    assert run_sql(database_url, "SELECT to_regclass('kpi_event'), to_regclass('heimdall_policy')") == [
        (None, "heimdall_policy")
    ]
    assert CliRunner().invoke(cli, ["migrate"]).exit_code == 0
    assert run_sql(database_url, "SELECT count(*) FROM regression_policy") == [(4,)]


def test_a_rollback_never_throws_records_away(written: Pool, database_url: str) -> None:
    with pytest.raises(migrate.MigrationError, match="the risk ledger holds records"):
        migrate.rollback_to(database_url, "0006.notices")
    run_sql(database_url, "TRUNCATE risk_event, risk_ledger_day")
    with pytest.raises(migrate.MigrationError, match="governance_audit holds records"):
        migrate.rollback_to(database_url, "0006.notices")
    assert run_sql(database_url, "SELECT count(*) FROM governance_audit") == [(5,)]
