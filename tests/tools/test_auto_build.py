"""Packs through the builder's desk of a real server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from settings import ROOT, load
from tests.serving import serving
from tools.auto_build import PACKS, DeskError, draft_apply, main, pack_metrics_capital, pack_tests
from web_server import create_app

KEY = "builder-key-1"
FILES = [{"path": "docs/a.md", "content": "# A\n", "mode": "replace"}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def desk(database_url: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    given = {"DATABASE_URL": database_url, "API_KEY": KEY, "BUILDER_ROOT": str(root)}
    with serving(create_app(load(given))) as url:
        monkeypatch.setenv("API_BASE", url)
        monkeypatch.setenv("BUILDER_KEY", KEY)
        yield url


def test_nothing_is_written_before_a_yes(desk: str, root: Path) -> None:
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    assert draft_apply("t", FILES, True, no) is False
    assert (asked, list(root.iterdir())) == ([], [])
    assert draft_apply("t", FILES, False, no) is False
    assert (asked, list(root.iterdir())) == (["Apply these 1 files?"], [])
    assert draft_apply("t", FILES, False, lambda question: True) is True
    assert (root / "docs" / "a.md").read_text() == "# A\n"
    assert draft_apply("t", FILES, False, no) is False  # nothing would change
    assert len(asked) == 1


@pytest.mark.parametrize("name", sorted(PACKS))
def test_each_pack_is_one_that_the_desk_takes(desk: str, root: Path, name: str) -> None:
    run = CliRunner().invoke(main, [name], input="y\n")
    assert run.exit_code == 0, run.output
    files = PACKS[name][1]()
    assert files
    assert {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} == {
        file["path"] for file in files
    }


def test_the_packs_hold_files_of_this_repository() -> None:
    for file in [*pack_metrics_capital(), *pack_tests()]:
        assert (ROOT / file["path"]).read_text(encoding="utf-8") == file["content"]


def test_started_as_a_program(desk: str, root: Path) -> None:
    command = [sys.executable, "tools/auto_build.py", "reports", "--dry-run"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "+++ b/reports/capital.json" in run.stdout
    assert list(root.iterdir()) == []


def test_a_refusal_is_one_sentence(desk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDER_KEY", "wrong-key-1")
    with pytest.raises(DeskError, match="answered 401: Invalid X-API-Key"):
        draft_apply("t", FILES, True)
    monkeypatch.setenv("API_BASE", "http://127.0.0.1:1")
    run = CliRunner().invoke(main, ["tests", "--dry-run"])
    assert (run.exit_code, "cannot be reached" in run.output) == (1, True)
    with pytest.raises(ValueError, match="no files"):
        draft_apply("t", [], True)
