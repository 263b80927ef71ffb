"""An apply whose process is killed before each of its steps in turn leaves all files or none."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from handlers.builder import desk as desks
from handlers.builder import journal
from tests.conftest import run_sql
from tests.handlers.test_builder import apply, begin, change, desk, draft, root, tree
from tests.processes import ROOT, wait_until

__all__ = ["desk", "root"]

CHANGES = (change("app/deep/new", "new\n"), change("docs/old.md", "newer\n", "replace"))
BEFORE = {"docs/old.md": "one\ntwo\n"}
AFTER = {"app/deep/new": "new\n", "docs/old.md": "newer\n"}


@pytest.fixture
def dying(database_url: str, root: Path) -> Iterator[subprocess.Popen[str]]:
    own = {"DATABASE_URL": database_url, "BUILDER_ROOT": str(root), "BUILDER_ALLOWED": "app,docs"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.handlers.dying_builder"],
        env={**os.environ, **own},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.communicate(timeout=30)


def die_at(process: subprocess.Popen[str], task_id: int, step: int) -> int:
    """Apply a task in a process that ends before a step; returns its exit code."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{task_id} {step}\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def renew(folder: Path) -> None:
    """The tree as it was at first."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (folder / "docs").mkdir()
    (folder / "docs" / "old.md").write_text(BEFORE["docs/old.md"])


def status(url: str, task_id: int) -> Any:
    return run_sql(url, f"SELECT status FROM builder_tasks WHERE id = {task_id}")[0][0]  # noqa: S608


def test_killed_before_each_step(
    desk: FlaskClient, root: Path, dying: subprocess.Popen[str], database_url: str
) -> None:
    ends = []
    for step in count(1):
        renew(root)
        task = begin(desk)
        draft(desk, task, *CHANGES)
        code = die_at(dying, task, step)
        shown = apply(desk, task, approve=False)
        applied = status(database_url, task) == "applied"
        assert shown.status_code == (409 if applied else 200)
        ends.append(applied)
        assert tree(root) == (AFTER if applied else BEFORE), step
        assert (root / "app").exists() == applied
        if code == 0:
            break
    # killed early it is undone, killed after its note it is done: once it is done, it stays done
    assert ends == sorted(ends)
    assert ends.count(False) >= 15
    assert ends.count(True) >= 5
    assert run_sql(database_url, "SELECT count(*) FROM governance_audit WHERE action = 'builder.apply'") == [
        (ends.count(True),)
    ]


def test_what_somebody_wrote_after_the_crash_is_left_alone(
    desk: FlaskClient, root: Path, dying: subprocess.Popen[str], database_url: str
) -> None:
    task = begin(desk)
    draft(desk, task, *CHANGES)
    for step in count(12):
        assert die_at(dying, task, step) == -9
        if (root / "docs" / "old.md").read_text() == "newer\n":
            break
    (root / "docs" / "old.md").write_text("by hand\n")
    assert apply(desk, task).get_json()["code"] == "DRAFT_OUTDATED"
    assert tree(root) == {"docs/old.md": "by hand\n"}
    assert status(database_url, task) == "drafted"


def test_a_server_that_starts_ends_what_was_left(
    desk: FlaskClient, root: Path, dying: subprocess.Popen[str], database_url: str
) -> None:
    task = begin(desk)
    draft(desk, task, *CHANGES)
    for step in count(12):
        die_at(dying, task, step)
        if (root / "app" / "deep" / "new").exists():
            break
    assert journal.is_open(root)
    desks.settle_at_start(desk.application.extensions["alertbook"])
    wait_until(lambda: not journal.is_open(root), 10, "the end of what was left")
    assert tree(root) == BEFORE
