"""The builder's desk: drafts are shown, files are written below the root only, all or none, once."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from handlers.builder import files, routes
from settings import load
from state.builder import MAX_FILE_BYTES, parts_of
from tests.conftest import run_sql
from web_server import create_app

ALLOWED = ("app", "docs", "services/api", "main.py")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "old.md").write_text("one\ntwo\n", encoding="utf-8")
    return folder


@pytest.fixture
def desk(database_url: str, root: Path) -> FlaskClient:
    given = {"DATABASE_URL": database_url, "BUILDER_ROOT": str(root), "BUILDER_ALLOWED": ",".join(ALLOWED)}
    return create_app(load(given)).test_client()


def begin(client: FlaskClient) -> int:
    made = client.post("/api/builder/tasks", json={"title": "t", "scope": "s", "plan": "p"}).get_json()
    assert made == {"ok": True, "task_id": made["task_id"], "files": [], "diff_summary": "queued"}
    return int(made["task_id"])


def draft(client: FlaskClient, task_id: int, *changes: Any) -> Any:
    return client.post(f"/api/builder/draft?task_id={task_id}", json=list(changes))


def apply(client: FlaskClient, task_id: int, approve: bool = True) -> Any:
    return client.post("/api/builder/apply", json={"task_id": task_id, "approve": approve})


def change(path: str, content: str = "new\n", mode: str = "add") -> dict[str, str]:
    return {"path": path, "content": content, "mode": mode}


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_drafted_shown_applied_once(desk: FlaskClient, root: Path, tmp_path: Path) -> None:
    task = begin(desk)
    shown = draft(desk, task, change("app/a/new.txt"), change("docs/old.md", "one\n2\n", "replace")).get_json()
    assert (shown["ok"], shown["changed"]) == (True, 2)
    assert [file["path"] for file in shown["files"]] == ["app/a/new.txt", "docs/old.md"]
    assert "-two\n+2\n" in shown["patch"]
    before = tree(root)
    preview = apply(desk, task, approve=False).get_json()
    assert preview["files"] == [{"path": "__DIFF__.patch", "diff": shown["patch"]}]
    assert tree(root) == before
    done = apply(desk, task)
    assert (done.status_code, done.get_json()["diff_summary"]) == (200, "applied 2 files")
    assert tree(root) == {"app/a/new.txt": "new\n", "docs/old.md": "one\n2\n"}
    again = apply(desk, task)
    assert (again.status_code, again.get_json()["code"]) == (409, "ALREADY_APPLIED")
    assert [entry["status"] for entry in desk.get("/builder/tasks").get_json()] == ["applied"]


def test_the_patch_is_one_that_git_takes(desk: FlaskClient, root: Path) -> None:
    task = begin(desk)
    shown = draft(desk, task, change("app/n.txt", "no newline"), change("docs/old.md", "x", "replace")).get_json()
    subprocess.run(["git", "apply", "-p1", "-"], input=shown["patch"], text=True, cwd=root, check=True)
    assert tree(root) == {"app/n.txt": "no newline", "docs/old.md": "x"}


def test_what_was_done_is_on_record(desk: FlaskClient, database_url: str) -> None:
    assert desk.post("/builder/register", json={"agent_name": "X"}).get_json() == {"ok": True, "message": "Welcome, X."}
    assert desk.post("/builder/telemetry", json={"kind": "k", "msg": "m", "meta_json": "{}"}).get_json() == {"ok": True}
    task = begin(desk)
    draft(desk, task, change("app/x"))
    apply(desk, task)
    kinds = run_sql(database_url, "SELECT kind FROM builder_events ORDER BY id")
    assert kinds == [("register",), ("k",), ("task",), ("draft",), ("apply",)]


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "app/../../x",
        "/etc/x",
        "app/./x",
        "app//x",
        "app/x/",
        "",
        "~/x",
        "other/x",
        "application/x",
        "app\\..\\x",
        "app/.git/hooks/x",
        "app/.GIT/config",
        "app/.env",
        "app/a\x00b",
        "app/a\nb",
        "app/x.",
        "app/c:x",
        "services/x",
        "app/" + "x" * 600,
    ],
)
def test_a_path_outside_is_refused(desk: FlaskClient, path: str) -> None:
    assert parts_of(path, ALLOWED) is None
    refused = draft(desk, begin(desk), change(path))
    assert (refused.status_code, refused.get_json()["code"]) == (400, "PATH_NOT_ALLOWED")


def test_allowed_folders_of_several_segments_and_single_files() -> None:
    assert parts_of("services/api/x.py", ALLOWED) == ("services", "api", "x.py")
    assert parts_of("main.py", ALLOWED) == ("main.py",)


def test_a_file_and_a_folder_of_one_name(desk: FlaskClient) -> None:
    refused = draft(desk, begin(desk), change("app/a/b/c"), change("app/a"))
    assert (refused.status_code, refused.get_json()["code"]) == (400, "PATH_NOT_ALLOWED")


@pytest.mark.parametrize("kind", ["folder", "file", "parent", "fifo", "place"])
def test_a_link_leads_nowhere(desk: FlaskClient, root: Path, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    task = begin(desk)
    path = "docs/d/secret" if kind in ("folder", "parent") else "docs/secret"
    assert draft(desk, task, change(path)).status_code == 200
    if kind == "folder":
        (root / "docs" / "d").symlink_to(outside)
    elif kind == "parent":
        (root / "docs" / "d").write_text("a file where a folder should be")
    elif kind == "file":
        (root / "docs" / "secret").symlink_to(outside / "secret")
    elif kind == "place":
        (root / "docs" / "secret").mkdir()
    else:
        os.mkfifo(root / "docs" / "secret")
    for refused in (apply(desk, task), apply(desk, task, approve=False), draft(desk, task, change(path))):
        assert (refused.status_code, refused.get_json()["code"]) == (400, "PATH_NOT_ALLOWED")
        assert "secret\n" not in refused.get_data(as_text=True)
    assert (outside / "secret").read_text() == "secret"


def test_limits(desk: FlaskClient) -> None:
    task = begin(desk)
    assert draft(desk, 999, change("app/x")).get_json()["error"] == "task not found"
    assert draft(desk, 999, change("app/x")).status_code == 404
    assert apply(desk, 999).status_code == 404
    large = draft(desk, task, change("app/x", "é" * (MAX_FILE_BYTES // 2 + 1)))
    assert (large.status_code, large.get_json()["error"]) == (413, "file too large: app/x")
    assert draft(desk, task, change("app/x", "é" * (MAX_FILE_BYTES // 2))).status_code == 200
    bad = draft(desk, task, change("app/x", mode="delete"))
    assert (bad.status_code, bad.get_json()["error"]) == (400, "bad mode for app/x")
    assert draft(desk, task, change("app/x"), change("app/x")).status_code == 400
    assert draft(desk, task, change("app/x", "a\x00b")).status_code == 400
    for body in (
        {"path": "app/x"},
        [1],
        [{"path": "app/x"}],
        [{**change("app/x"), "more": 1}],
        [change("app/x")] * 201,
    ):
        assert desk.post(f"/api/builder/draft?task_id={task}", json=body).status_code == 422
    assert desk.post(f"/api/builder/draft?task_id={task}", data=b"nonsense").status_code == 400
    assert desk.post("/api/builder/draft", json=[]).status_code == 422
    for wrong in ({"title": "x" * 141, "scope": "s"}, {"title": "t", "scope": "x" * 201}, {"title": "t"}):
        assert desk.post("/api/builder/tasks", json=wrong).status_code == 422


def test_an_empty_draft_is_not_applied(desk: FlaskClient) -> None:
    task = begin(desk)
    assert apply(desk, task).get_json()["code"] == "NOTHING_TO_APPLY"
    assert draft(desk, task).get_json()["changed"] == 0
    assert apply(desk, task).status_code == 409


def test_without_a_root_nothing_is_written(client: FlaskClient) -> None:
    task = begin(client)
    assert draft(client, task, change("docs/x")).status_code == 200
    assert apply(client, task, approve=False).status_code == 200
    refused = apply(client, task)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "NO_BUILDER_ROOT")


def test_add_never_overwrites_and_a_stale_draft_is_refused(desk: FlaskClient, root: Path) -> None:
    task = begin(desk)
    draft(desk, task, change("docs/old.md"))
    assert apply(desk, task).get_json()["code"] == "FILE_EXISTS"
    draft(desk, task, change("docs/old.md", mode="replace"))
    (root / "docs" / "old.md").write_text("changed meanwhile")
    assert apply(desk, task).get_json()["code"] == "DRAFT_OUTDATED"
    assert tree(root) == {"docs/old.md": "changed meanwhile"}


def test_an_apply_whose_note_was_lost_can_be_repeated(desk: FlaskClient, root: Path) -> None:
    task = begin(desk)
    draft(desk, task, change("docs/new.md"))
    (root / "docs" / "new.md").write_text("new\n")
    assert apply(desk, task).status_code == 200


def test_all_files_or_none(desk: FlaskClient, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = begin(desk)
    (root / "docs" / "old.md").chmod(0o755)
    draft(desk, task, change("app/deep/a"), change("docs/old.md", mode="replace"), change("app/b"), change("docs/c"))
    before = tree(root)
    moves = iter([True, True, False])
    replace = os.replace

    def fails_at_the_third(*args: Any, **kwargs: Any) -> None:
        if not next(moves, True):
            raise OSError(28, "No space left on device")
        replace(*args, **kwargs)

    monkeypatch.setattr(os, "replace", fails_at_the_third)
    refused = apply(desk, task)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "CANNOT_BE_WRITTEN")
    assert tree(root) == before
    assert sorted(path.name for path in root.rglob("*")) == ["docs", "old.md"]
    assert (root / "docs" / "old.md").stat().st_mode & 0o777 == 0o755
    assert apply(desk, task).status_code == 200


def test_a_folder_that_takes_a_files_place_on_the_way_undoes_the_apply(
    desk: FlaskClient, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = begin(desk)
    draft(desk, task, change("docs/old.md", mode="replace"), change("app/b"))
    replace = os.replace

    def slip_a_folder_in(source: str, target: str, **kwargs: Any) -> None:
        if target == "b":
            (root / "app" / "b").mkdir()
        replace(source, target, **kwargs)

    monkeypatch.setattr(os, "replace", slip_a_folder_in)
    refused = apply(desk, task)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "CANNOT_BE_WRITTEN")
    assert tree(root) == {"docs/old.md": "one\ntwo\n"}
    # the desk goes on
    assert draft(desk, task, change("docs/new.md")).status_code == 200
    assert apply(desk, task).status_code == 200


def test_the_servers_own_code_stays_while_go_live_is_on(
    database_url: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "ROOT", root)
    given = {"DATABASE_URL": database_url, "BUILDER_ROOT": str(root)}
    client = create_app(load(given)).test_client()
    run_sql(database_url, "DROP TABLE IF EXISTS go_live_state CASCADE")
    run_sql(database_url, "CREATE TABLE go_live_state (go_live_enabled BOOLEAN)")
    run_sql(database_url, "INSERT INTO go_live_state VALUES (TRUE)")
    task = begin(client)
    draft(client, task, change("docs/x"))
    refused = apply(client, task)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "GO_LIVE_IS_ON")
    run_sql(database_url, "UPDATE go_live_state SET go_live_enabled = FALSE")
    assert apply(client, task).status_code == 200


def test_reading_past_a_missing_folder(root: Path) -> None:
    assert files.read(root, ("app", "none", "x")) is None
