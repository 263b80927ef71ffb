"""The operator's commands, against real databases and a served application."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from werkzeug.serving import make_server

import deploy
import smoke
from database import console, migrate
from settings import PLATFORM_VARIABLES, load
from tests.conftest import run_sql
from tests.processes import ROOT, free_port

UNSET = dict.fromkeys(
    (
        "DATABASE_URL",
        "DATABASE_URL_DIRECT",
        "ALERTBOOK_DATA_DIR",
        "HOST",
        "PORT",
        *deploy.KEY_NAMES,
        *PLATFORM_VARIABLES,
    )
)


def run(*arguments: str, **environment: str) -> Result:
    """Run deploy.py with these settings and no others."""
    return CliRunner().invoke(deploy.cli, arguments, env={**UNSET, **environment})


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """An environment in which no database can be found."""
    return {"ALERTBOOK_DATA_DIR": str(tmp_path / "no data")}


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    """The address of a server with that application."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_migrate_without_a_database_says_so_and_succeeds(nowhere: dict[str, str]) -> None:
    result = run("migrate", **nowhere)
    assert result.exit_code == 0
    assert "DATABASE_URL is unset" in result.output


def test_migrate_applies_and_then_has_nothing_to_do(empty_database_url: str) -> None:
    first = run("migrate", DATABASE_URL=empty_database_url)
    assert first.exit_code == 0
    assert [f"applied {name}" for name in migrate.names()] == first.output.splitlines()[:-1]
    assert "Nothing to do" in run("migrate", DATABASE_URL=empty_database_url).output


def test_migrate_prefers_the_direct_url(empty_database_url: str) -> None:
    pooler = "postgresql://nobody@127.0.0.1:1/none"
    assert run("migrate", DATABASE_URL=pooler, DATABASE_URL_DIRECT=empty_database_url).exit_code == 0


def test_migrate_tells_an_unreachable_database_in_one_sentence() -> None:
    result = run("migrate", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert result.exit_code == 1
    assert "Error: The database cannot be reached" in result.output


def test_status_rollback_and_back(database_url: str) -> None:
    first, *later = migrate.names()
    undone = run("rollback", "--to", first, DATABASE_URL=database_url)
    assert undone.output.splitlines() == [f"undone {name}" for name in reversed(later)]
    status = run("status", DATABASE_URL=database_url).output.splitlines()
    assert status == [f"applied  {first}", *(f"pending  {name}" for name in later)]
    assert "Nothing to do" in run("rollback", "--to", first, DATABASE_URL=database_url).output
    assert run("migrate", DATABASE_URL=database_url).exit_code == 0


def test_status_names_migrations_of_a_newer_version(database_url: str) -> None:
    run_sql(database_url, "INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ('x', '9999.later')")
    assert "unknown  9999.later" in run("status", DATABASE_URL=database_url).output


def test_stamp_marks_and_refuses_unknown_names(empty_database_url: str) -> None:
    first = migrate.names()[0]
    assert run("stamp", first, DATABASE_URL=empty_database_url).output == f"marked {first}\n"
    assert "Nothing to do" in run("stamp", first, DATABASE_URL=empty_database_url).output
    unknown = run("stamp", "0000.none", DATABASE_URL=empty_database_url)
    assert unknown.exit_code == 1
    assert "no migration '0000.none'" in unknown.output


@pytest.mark.parametrize("command", [("status",), ("rollback", "--to", "x"), ("stamp", "x"), ("psql",)])
def test_commands_that_need_a_database_say_so(command: tuple[str, ...], nowhere: dict[str, str]) -> None:
    result = run(*command, **nowhere)
    assert result.exit_code == 1
    assert "DATABASE_URL is unset and no embedded database is running" in result.output


def test_check_passes_on_a_current_database(database_url: str) -> None:
    result = run("check", DATABASE_URL=database_url)
    assert result.exit_code == 0, result.output
    assert "FAIL" not in result.output
    assert "allowed, because HOST is 127.0.0.1" in result.output


def test_check_fails_on_missing_keys_pending_migrations_and_no_connection(empty_database_url: str) -> None:
    result = run("check", DATABASE_URL=empty_database_url, HOST="0.0.0.0")
    assert result.exit_code == 1
    assert "FAIL  unset keys: WEBHOOK_SECRET" in result.output
    assert f"FAIL  pending migrations: {migrate.names()[0]}" in result.output
    away = run("check", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert away.exit_code == 1
    assert "FAIL  The database cannot be reached" in away.output


def test_check_fails_without_any_database(nowhere: dict[str, str]) -> None:
    result = run("check", **nowhere)
    assert result.exit_code == 1
    assert "FAIL  DATABASE_URL is unset" in result.output


def test_unreadable_settings_end_every_command_with_their_sentence() -> None:
    result = run("check", PORT="http")
    assert result.exit_code == 1
    assert "PORT" in result.output
    assert "Traceback" not in result.output


def test_fresh_keys_are_complete_different_and_accepted() -> None:
    lines = dict(line.split("=") for line in run("keys").output.splitlines())
    assert len(set(lines.values())) == len(lines) == len(deploy.KEY_NAMES)
    settings = load({**lines, "HOST": "0.0.0.0"})
    settings.require_keys()
    assert run("check", **lines, HOST="0.0.0.0").output.splitlines()[1] == "ok    all keys are set"


def test_smoke_posts_every_sample_reads_it_back_and_cleans_up(site: str, database_url: str) -> None:
    result = run("smoke", "--url", site, DATABASE_URL=database_url)
    assert result.exit_code == 0, result.output
    assert f"{len(smoke.sample_alerts())} passed, 0 failed" in result.output
    assert run_sql(database_url, "SELECT count(*) FROM automated_signals") == [(0,)]


def test_smoke_says_when_it_cannot_clean_up(
    site: str, nowhere: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = smoke.sample_alerts()[:2]
    monkeypatch.setattr(deploy, "sample_alerts", lambda: samples)
    result = run("smoke", "--url", site, **nowhere)
    assert result.exit_code == 0
    assert "NOT cleaned up" in result.output
    away = run("smoke", "--url", site, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert "NOT cleaned up" in away.output


def test_smoke_fails_when_nobody_answers_or_alerts_are_refused(
    site: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = tmp_path / "strategy" / "refused.json"
    refused.parent.mkdir()
    refused.write_text(json.dumps({"type": "NO_SUCH_EVENT", "signal_id": "x"}))
    monkeypatch.setattr(deploy, "sample_alerts", lambda: [refused])
    answered = run("smoke", "--url", site, DATABASE_URL=database_url)
    assert answered.exit_code == 1
    assert "FAIL  strategy/refused  POST answered 422" in answered.output
    silent = run("smoke", "--url", f"http://127.0.0.1:{free_port()}", DATABASE_URL=database_url)
    assert silent.exit_code == 1
    assert "POST answered 0: no answer" in silent.output


def test_smoke_without_samples_is_a_failure(nowhere: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "sample_alerts", list)
    assert run("smoke", **nowhere).exit_code == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"trade_id": "a", "price": 1.50}', b'{"trade_id": "t-1", "price": 1.50}'),
        (b'{"attributes":{"trade_id":"a"}}', b'{"attributes":{"trade_id":"t-1"}}'),
        (
            b'{"signals":[{"signal_id":"a"},{"signal_id":"b"},{"trade_id":"a"}]}',
            b'{"signals":[{"signal_id":"t-1"},{"signal_id":"t-2"},{"trade_id":"t-1"}]}',
        ),
        (b'{"signal_id": 12345, "mfe": NaN}', b'{"signal_id": "t-1", "mfe": NaN}'),
        (b'{"signal_id": "a\\"b"}', b'{"signal_id": "t-1"}'),
    ],
)
def test_only_the_ids_of_a_sample_are_replaced(before: bytes, after: bytes) -> None:
    body, ids = smoke.with_fresh_ids(before, "t")
    assert body == after
    assert all(one.encode() in body for one in ids)


def test_a_rotation_uses_its_first_key(site: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[smoke.Target] = []
    monkeypatch.setattr(deploy, "sample_alerts", lambda: [Path("x/y.json")])

    def ask(target: smoke.Target, path: Path) -> smoke.SmokeResult:
        asked.append(target)
        return smoke.SmokeResult(path.stem, True, "", ())

    monkeypatch.setattr(deploy, "try_sample", ask)
    run("smoke", "--url", f"{site}/", WEBHOOK_SECRET="new-secret, old-secret", API_KEY="new-key-1,old-key-1")
    assert asked == [smoke.Target(site, "new-secret", "new-key-1", None)]


def test_psql_opens_the_database_without_showing_its_password(database_url: str) -> None:
    command = [sys.executable, str(ROOT / "deploy.py"), "psql", "--", "-Atc", "SELECT current_database()"]
    environment = {**os.environ, "DATABASE_URL": database_url}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd="/")
    assert answer.stdout.strip() == database_url.split("?")[0].rsplit("/", 1)[1]
    program, variables = console.psql("postgresql://me:hush@db.example:6000/book?sslmode=require", {})
    assert "hush" not in str(program)
    assert variables == {
        "PGUSER": "me",
        "PGPASSWORD": "hush",
        "PGHOST": "db.example",
        "PGPORT": "6000",
        "PGDATABASE": "book",
        "PGSSLMODE": "require",
    }
