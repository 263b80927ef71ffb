"""Migration runs: alone, two at once, killed in the middle, and back again."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest

from database import migrate
from tests.conftest import run_sql
from tests.processes import ROOT, wait_until

#: A process that applies the migrations of a folder and prints their names.
RUN = """
import sys
from pathlib import Path
from database import migrate
print(migrate.apply(sys.argv[1], Path(sys.argv[2]), on_wait=print))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small migrations with their way back, in a folder whose name is a pattern to careless code."""
    one = tmp_path / "migrations [1] %"
    one.mkdir()
    (one / "0001.first.sql").write_text("CREATE TABLE first (n INT);\nINSERT INTO first VALUES (1), (50);\nSELECT 1;\n")
    (one / "0001.first.rollback.sql").write_text("DELETE FROM first;\nDROP TABLE first;\n")
    (one / "0002.second.sql").write_text("-- 100% plain\nALTER TABLE first ADD COLUMN label TEXT DEFAULT '50%';\n")
    (one / "0002.second.rollback.sql").write_text("ALTER TABLE first DROP COLUMN label;\n")
    return one


def start_run(url: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, url, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def hold_table(url: str, statement: str) -> psycopg2.extensions.connection:
    """A connection whose open transaction makes the next migration wait."""
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        cursor.execute(statement)
    return connection


def is_waiting(url: str) -> Callable[[], bool]:
    """Tells whether some statement of this database waits for a lock."""

    def waits() -> bool:
        rows = run_sql(
            url,
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
        )
        return bool(rows)

    return waits


def test_apply_names_what_it_did_and_then_finds_nothing(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url
    assert migrate.pending(url, folder) == ["0001.first", "0002.second"]
    assert migrate.applied(url) == []
    assert migrate.current(url, folder) is None
    assert migrate.apply(url, folder) == ["0001.first", "0002.second"]
    assert migrate.apply(url, folder) == []
    assert migrate.pending(url, folder) == []
    assert migrate.current(url, folder) == "0002.second"
    assert run_sql(url, "SELECT n, label FROM first ORDER BY n") == [(1, "50%"), (50, "50%")]


def test_looking_changes_nothing(empty_database_url: str, folder: Path) -> None:
    migrate.pending(empty_database_url, folder)
    migrate.invalid_indexes(empty_database_url)
    assert run_sql(empty_database_url, "SELECT relname FROM pg_class WHERE relname LIKE '%yoyo%'") == []


def test_the_older_spelling_of_the_scheme_works(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url.replace("postgresql://", "postgres://")
    assert migrate.apply(url, folder) == ["0001.first", "0002.second"]


def test_a_password_with_odd_characters_reaches_the_database(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url.replace("//alertbook@", "//alertbook:p%20a%2Fs%25s%3A@")
    assert migrate.apply(url, folder) == ["0001.first", "0002.second"]


def test_rollback_undoes_what_came_after_newest_first(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url
    (folder / "0003.third.sql").write_text("CREATE TABLE third (n INT);\n")
    (folder / "0003.third.rollback.sql").write_text("DROP TABLE third;\n")
    migrate.apply(url, folder)
    assert migrate.rollback_to(url, "0001.first", folder) == ["0003.third", "0002.second"]
    assert run_sql(url, "SELECT * FROM first ORDER BY n") == [(1,), (50,)]
    assert migrate.rollback_to(url, "0001.first", folder) == []
    assert migrate.apply(url, folder) == ["0002.second", "0003.third"]


def test_a_missing_way_back_undoes_nothing(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url
    (folder / "0001.first.rollback.sql").unlink()
    (folder / "0000.base.sql").write_text("CREATE TABLE base (n INT);\n")
    migrate.apply(url, folder)
    with pytest.raises(migrate.MigrationError, match=r"0001\.first has no rollback file"):
        migrate.rollback_to(url, "0000.base", folder)
    assert migrate.pending(url, folder) == []


def test_stamp_marks_without_running(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url
    run_sql(url, "CREATE TABLE first (n INT)")
    assert migrate.stamp(url, "0001.first", folder) == ["0001.first"]
    assert migrate.stamp(url, "0001.first", folder) == []
    assert migrate.apply(url, folder) == ["0002.second"]
    assert run_sql(url, "SELECT * FROM first") == []


def test_an_unknown_name_is_answered_with_the_known_ones(empty_database_url: str, folder: Path) -> None:
    with pytest.raises(migrate.MigrationError, match=r"no migration '0009'\. Known: 0001\.first, 0002\.second"):
        migrate.rollback_to(empty_database_url, "0009", folder)


def test_a_failing_migration_leaves_no_trace_and_those_before_it_stay(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url
    (folder / "0003.bad.sql").write_text("CREATE TABLE half (n INT);\nSELECT no_such_function();\n")
    with pytest.raises(migrate.MigrationError, match=r"0003\.bad failed: .*no_such_function"):
        migrate.apply(url, folder)
    assert migrate.pending(url, folder) == ["0003.bad"]
    assert run_sql(url, "SELECT to_regclass('half')") == [(None,)]


def test_an_unreachable_database_is_told(folder: Path) -> None:
    with pytest.raises(migrate.MigrationError, match="cannot be reached"):
        migrate.apply("postgresql://nobody@127.0.0.1:1/none", folder)


def test_of_two_runs_at_once_one_works_and_the_other_waits(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url
    migrate.apply(url, folder)
    (folder / "0003.third.sql").write_text("ALTER TABLE first ADD COLUMN extra INT;\n")
    holder = hold_table(url, "LOCK TABLE first")
    runs = [start_run(url, folder) for _ in range(2)]
    try:
        wait_until(is_waiting(url), 20, "the first run to meet the lock")
        waiting = (
            "SELECT count(*) > 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND (query LIKE '%pg_try_advisory_xact_lock%' OR query ILIKE 'rollback%')"
        )
        wait_until(lambda: run_sql(url, waiting) == [(True,)], 20, "the second run to wait for the first")
        holder.rollback()
        outputs = sorted(run.communicate(timeout=30)[0] for run in runs)
    finally:
        holder.close()
        for run in runs:
            run.kill()
            run.wait()
    assert outputs == ["['0003.third']\n", "another migration run is at work; waiting for it\n[]\n"]
    assert [run.returncode for run in runs] == [0, 0]


def test_a_killed_run_neither_blocks_the_next_nor_leaves_half_a_migration(
    empty_database_url: str, folder: Path
) -> None:
    url = empty_database_url
    migrate.apply(url, folder)
    (folder / "0003.third.sql").write_text("CREATE TABLE third (n INT);\nALTER TABLE first ADD COLUMN extra INT;\n")
    holder = hold_table(url, "LOCK TABLE first")
    run = start_run(url, folder)
    try:
        wait_until(is_waiting(url), 20, "the run to meet the lock")
    finally:
        run.kill()
        run.communicate()
    holder.rollback()
    holder.close()
    assert run_sql(url, "SELECT count(*) FROM yoyo_lock") == [(1,)]
    assert migrate.apply(url, folder) == ["0003.third"]
    assert run_sql(url, "SELECT count(*) FROM yoyo_lock") == [(0,)]


def test_an_index_that_a_killed_run_left_invalid_is_built_anew(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url
    migrate.apply(url, folder)
    (folder / "0003.index.sql").write_text(
        "-- transactional: false\nCREATE INDEX CONCURRENTLY IF NOT EXISTS first_n ON first (n);\n"
    )
    (folder / "0003.index.rollback.sql").write_text("DROP INDEX CONCURRENTLY first_n;\n")
    holder = hold_table(url, "INSERT INTO first VALUES (2)")
    run = start_run(url, folder)
    try:
        wait_until(is_waiting(url), 20, "the index to wait for the open transaction")
    finally:
        run.kill()
        run.communicate()
    run_sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%'")
    holder.rollback()
    holder.close()
    wait_until(lambda: migrate.invalid_indexes(url) == ["public.first_n"], 20, "the invalid index")
    assert migrate.apply(url, folder) == ["0003.index"]
    assert migrate.invalid_indexes(url) == []
    assert migrate.rollback_to(url, "0002.second", folder) == ["0003.index"]
    assert run_sql(url, "SELECT to_regclass('first_n')") == [(None,)]
