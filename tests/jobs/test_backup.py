"""Backups by the operator's command: whole, private, restorable, and known to the checklist."""

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errors
import pytest
from click.testing import CliRunner, Result

import deploy
from database import jobs as store
from database.pool import Pool
from errors import BackupFailed
from jobs import backup, running
from settings import Settings
from tests.conftest import run_sql
from tests.processes import ROOT


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(deploy.cli, ["backup", *arguments], env={"DATABASE_URL": url, "DATABASE_URL_DIRECT": ""})


def runs(url: str) -> list[Any]:
    return run_sql(url, "SELECT status, result, error FROM job_runs ORDER BY id")


def restore(dump: Path, url: str) -> Result:
    given = {"DATABASE_URL": url, "DATABASE_URL_DIRECT": ""}
    return CliRunner().invoke(deploy.cli, ["restore", str(dump)], env=given)


def test_what_was_backed_up_comes_back(database_url: str, empty_database_url: str, tmp_path: Path) -> None:
    run_sql(database_url, "INSERT INTO capital_intake (source, amount) VALUES ('deal', 12.34)")
    done = run(database_url, str(tmp_path))
    assert done.exit_code == 0, done.output
    (file,) = tmp_path.iterdir()
    assert (file.suffix, stat.S_IMODE(file.stat().st_mode)) == (".dump", 0o600)
    assert runs(database_url) == [("done", {"to": str(file), "bytes": file.stat().st_size}, None)]
    back = restore(file, empty_database_url)
    assert (back.exit_code, "ok    0 records, unbroken" in back.output) == (0, True), back.output
    assert [str(row[0]) for row in run_sql(empty_database_url, "SELECT amount FROM capital_intake")] == ["12.34"]
    again = restore(file, empty_database_url)
    assert (again.exit_code, "holds tables already" in again.output) == (1, True)


def test_the_new_owner_cannot_rewrite_the_audit_either(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    assert run(database_url, str(tmp_path / "book.dump")).exit_code == 0
    name = empty_database_url.split("?")[0].rsplit("/", 1)[1]
    run_sql(empty_database_url, f"CREATE ROLE mover_{name} LOGIN")
    run_sql(empty_database_url, f"ALTER DATABASE {name} OWNER TO mover_{name}")
    theirs = empty_database_url.replace("//alertbook@", f"//mover_{name}@")
    back = restore(tmp_path / "book.dump", theirs)
    assert back.exit_code == 0, back.output
    owner = "SELECT current_user, tableowner FROM pg_tables WHERE tablename = 'governance_audit'"
    assert run_sql(theirs, owner) == [(f"mover_{name}", f"mover_{name}")]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run_sql(theirs, "DELETE FROM governance_audit")


def test_what_is_no_backup_is_refused_whole(empty_database_url: str, tmp_path: Path) -> None:
    (tmp_path / "no.dump").write_text("something else")
    for name, why in (("no.dump", "pg_restore failed"), ("none.dump", "There is no file")):
        refused = restore(tmp_path / name, empty_database_url)
        assert (refused.exit_code, why in refused.output) == (1, True), refused.output
    assert run_sql(empty_database_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_standard_output_holds_the_backup_and_nothing_else(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "piped.dump"
    command = [sys.executable, str(ROOT / "deploy.py"), "backup", "-"]
    with file.open("wb") as output:
        given = {**os.environ, "DATABASE_URL": database_url}
        done = subprocess.run(command, env=given, stdout=output, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, "standard output" in done.stderr) == (0, True)
    assert restore(file, empty_database_url).exit_code == 0
    assert run_sql(empty_database_url, "SELECT count(*) FROM risk_policy") == [(4,)]


def test_a_backup_that_fails_leaves_the_last_one_alone(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "book.dump"
    file.write_text("the last one")
    broken = tmp_path / "pg_dump"
    broken.write_text("#!/bin/sh\necho half > \"${3#--file=}\"\necho 'pg_dump: error: no room' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("database.backups.program", lambda name: broken)
    failed = run(database_url, str(file))
    assert (failed.exit_code, "no room" in failed.output) == (1, True)
    assert (file.read_text(), sorted(path.name for path in tmp_path.iterdir())) == (
        "the last one",
        ["book.dump", "pg_dump"],
    )
    assert [row[0] for row in runs(database_url)] == ["failed"]


def test_a_folder_that_is_not_there(database_url: str, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="could not be written"):
        running.run(backup.JOB, settings, (str(tmp_path / "none" / "x"),), now=datetime.now(UTC))


@pytest.mark.parametrize("words", [(), ("a", "--made-elsewhere", "b")])
def test_one_of_both_is_asked_for(database_url: str, words: tuple[str, ...]) -> None:
    assert "Name the file or folder" in run(database_url, *words).output
    assert runs(database_url) == []


def test_while_one_is_made_another_is_refused(database_url: str, tmp_path: Path) -> None:
    pool = Pool(database_url, 1)
    assert store.take_lease(pool, "backup", "another", 60)
    pool.close()
    refused = run(database_url, str(tmp_path))
    assert (refused.exit_code, "at work" in refused.output, list(tmp_path.iterdir())) == (1, True, [])


def test_a_backup_made_elsewhere_is_noted(database_url: str) -> None:
    assert run(database_url, "--made-elsewhere", "disk snapshot").exit_code == 0
    assert runs(database_url) == [("done", {"made_elsewhere": "disk snapshot"}, None)]
