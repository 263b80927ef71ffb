"""The builder's desk over HTTP, also without /api for its older client."""

import secrets
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

import marshmallow as ma
from flask import Response

from database import builder as store
from database.governance.audit import Who, insert_audit
from errors import AlertbookError, Conflict, Detail, Invalid, NotJson, TooLarge
from handlers.blueprint import Blueprint
from handlers.builder import desk, files, journal
from handlers.fields import Text, Yes
from handlers.middleware.access import Execution, Role, access, key_id
from handlers.middleware.answers import answer
from handlers.middleware.bodies import read_body
from handlers.middleware.request_id import current_id
from handlers.paging import IdPageQuery, next_cursor
from handlers.services import services
from handlers.telemetry_events import JsonText
from settings import ROOT
from state import jsontext
from state.builder import MAX_FILE_BYTES, MAX_FILES, MODES, FileChange, diff, digest, parts_of, patch

blueprint = Blueprint("builder", __name__, description="The builder's desk.")

DRAFT_LIMIT: Final = 8 * 1024 * 1024
_MAX_ID: Final = 2**63 - 1


class BadDraft(AlertbookError):
    """A draft that the older client knows as a 400."""

    status = 400
    code = "BAD_DRAFT"


class RegisterIn(ma.Schema):
    """Who works at the desk."""

    agent_name = Text(1, 64, required=True)
    version = Text(0, 64, load_default=None, allow_none=True)


@blueprint.post("/builder/register")
@blueprint.post("/api/builder/register")
@access(Role.WRITE)
@blueprint.arguments(RegisterIn, location="json")
def register(body: dict[str, Any]) -> Response:
    """Say who is at work. Idempotency: may be repeated; each time is noted."""
    store.insert_event(services().pool, "register", body["agent_name"], {"version": body["version"]})
    return answer({"ok": True, "message": f"Welcome, {body['agent_name']}."})


class EventIn(ma.Schema):
    """Something that the builder wants to be noted."""

    kind = Text(1, 40, required=True)
    msg = Text(0, 10_000, load_default=None, allow_none=True)
    meta_json = JsonText(load_default=None, allow_none=True)


@blueprint.post("/builder/telemetry")
@blueprint.post("/api/builder/telemetry")
@access(Role.WRITE)
@blueprint.arguments(EventIn, location="json")
def record_event(body: dict[str, Any]) -> Response:
    """Note something about the builder's work. Idempotency: each request is a note of its own."""
    store.insert_event(services().pool, body["kind"], body["msg"], body["meta_json"])
    return answer({"ok": True})


class TaskIn(ma.Schema):
    """What is to be built."""

    title = Text(1, 140, required=True)
    scope = Text(1, 200, required=True)
    plan = Text(0, 20_000, load_default=None, allow_none=True)


@blueprint.post("/builder/tasks")
@blueprint.post("/api/builder/tasks")
@access(Role.WRITE)
@blueprint.arguments(TaskIn, location="json")
def begin_task(body: dict[str, Any]) -> Response:
    """Begin a task. Idempotency: each request is a task of its own."""
    task_id = store.insert_task(services().pool, **body)
    return answer({"ok": True, "task_id": task_id, "files": [], "diff_summary": "queued"})


class TasksQuery(IdPageQuery):
    """A page of tasks."""

    limit = ma.fields.Integer(load_default=50, validate=ma.validate.Range(1, 200))


@blueprint.get("/builder/tasks")
@blueprint.get("/api/builder/tasks")
@access(Role.READ)
@blueprint.arguments(TasksQuery, location="query")
def list_tasks(query: dict[str, Any]) -> Response:
    """Tasks, newest first, as a bare array; the cursor of the next page stands in X-Next-Cursor."""
    limit = query["limit"]
    rows = store.select_tasks(services().pool, before=query["cursor"], limit=limit + 1)
    more = next_cursor(rows, limit)
    return answer([row._asdict() for row in rows[:limit]], headers={"X-Next-Cursor": more} if more else None)


class DraftQuery(ma.Schema):
    """Which task the draft is for."""

    task_id = ma.fields.Integer(required=True, validate=ma.validate.Range(1, _MAX_ID))


@blueprint.post("/builder/draft")
@blueprint.post("/api/builder/draft")
@access(Role.WRITE)
@blueprint.arguments(DraftQuery, location="query")
def draft(query: dict[str, Any]) -> Response:
    """Draft a task's files: the body is a list of {path, content, mode}; the answer shows what would change.

    `mode` is add (the default: the file must not exist) or replace. 400 path not allowed or bad mode, 413 a file of
    more than 200,000 bytes. Idempotency: a draft takes the place of the one before it.
    """
    here = services()
    wanted = [_checked(item, here.settings.builder_allowed) for item in _items(read_body(DRAFT_LIMIT))]
    _check_apart([file.path for file in wanted])
    desk.settle(here)
    with store.held_task(here.pool, query["task_id"]) as task:
        drafted, diffs = [], []
        for file in wanted:
            before = _current(here.settings.builder_root, file.path, here.settings.builder_allowed)
            drafted.append(FileChange(file.path, file.content, file.mode, digest(before)))
            diffs.append(diff(file.path, before, file.content))
        summary = f"{len(drafted)} files changed"
        task.save("drafted" if drafted else "queued", summary, drafted, {"paths": [file.path for file in drafted]})
    return answer(_changes([file.path for file in drafted], diffs))


def _items(body: bytes) -> list[Any]:
    try:
        items = jsontext.parse(body.decode("utf-8-sig"))
    except (UnicodeDecodeError, jsontext.JsonTextError) as error:
        raise NotJson(f"The draft is not JSON: {error}.") from None
    if not isinstance(items, list) or len(items) > MAX_FILES:
        raise Invalid(f"The draft must be a list of at most {MAX_FILES} files.", code="NOT_A_LIST")
    return items


def _checked(item: Any, allowed: Sequence[str]) -> FileChange:
    path, content = (item.get("path"), item.get("content")) if isinstance(item, dict) else (None, None)
    if not isinstance(path, str) or not isinstance(content, str) or item.keys() - {"path", "content", "mode"}:
        detail = Detail("", "INVALID", "each file needs path, content (texts) and, if not add, mode")
        raise Invalid(detail.message, details=[detail])
    if parts_of(path, allowed) is None:
        raise BadDraft(f"path not allowed: {path[:500]}", code="PATH_NOT_ALLOWED")
    mode = item.get("mode", "add")
    if mode not in MODES:
        raise BadDraft(f"bad mode for {path}", code="BAD_MODE")
    try:
        size = len(content.encode())
    except UnicodeEncodeError:
        raise BadDraft(f"not text: {path}", code="NOT_TEXT") from None
    if "\x00" in content:
        raise BadDraft(f"not text: {path}", code="NOT_TEXT")
    if size > MAX_FILE_BYTES:
        raise TooLarge(f"file too large: {path}", code="FILE_TOO_LARGE")
    return FileChange(path, content, mode)


def _check_apart(paths: Sequence[str]) -> None:
    """Raise BadDraft when two files of a draft would have the same place, or one would stand in the other's way."""
    if len(set(paths)) != len(paths):
        raise BadDraft("The draft names the same path twice.", code="PATH_TWICE")
    folders = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
    for path in paths:
        if path in folders:
            raise BadDraft(f"path not allowed: {path} is a folder of this draft", code="PATH_NOT_ALLOWED")


def _current(root: Path | None, path: str, allowed: Sequence[str]) -> str | None:
    """What stands at a path now; None without a root. Raises BadDraft when the path leads outside."""
    parts = parts_of(path, allowed)
    try:
        if parts is None:
            raise files.LeadsAway
        return None if root is None else files.read(root, parts)
    except files.LeadsAway:
        raise BadDraft(f"path not allowed: {path}", code="PATH_NOT_ALLOWED") from None


def _changes(paths: Sequence[str], diffs: Sequence[str]) -> dict[str, Any]:
    return {
        "ok": True,
        "changed": len(paths),
        "files": [{"path": path, "diff": text} for path, text in zip(paths, diffs, strict=True)],
        "patch": patch(diffs),
    }


class ApplyIn(ma.Schema):
    """Whether a task's draft is to be written."""

    task_id = ma.fields.Integer(required=True, strict=True, validate=ma.validate.Range(1, _MAX_ID))
    approve = Yes(load_default=True)


@blueprint.post("/builder/apply")
@blueprint.post("/api/builder/apply")
@access(Role.WRITE, Execution.PROD_EXEC)
@blueprint.arguments(ApplyIn, location="json")
def apply(body: dict[str, Any]) -> Response:
    """Write a task's draft below BUILDER_ROOT (approve true), or only show it as a patch (approve false).

    All files or none, a crash on the way included. 409 without BUILDER_ROOT, for an empty draft, one that was applied
    already, a file that changed since the draft, a file to be added that exists, and the server's own code while
    go-live is on. Idempotency: a draft is applied once; the second time is 409.
    """
    here = services()
    root, allowed = here.settings.builder_root, here.settings.builder_allowed
    desk.settle(here)
    with store.held_task(here.pool, body["task_id"]) as task:
        if body["approve"]:
            desk.take(root, task)
        if not task.files:
            raise Conflict("This task has no draft to apply.", code="NOTHING_TO_APPLY")
        if task.status == "applied":
            raise Conflict("This draft was applied already.", code="ALREADY_APPLIED")
        before = [_current(root, file.path, allowed) for file in task.files]
        diffs = [diff(file.path, old, file.content) for file, old in zip(task.files, before, strict=True)]
        shown = _changes([file.path for file in task.files], diffs)
        if not body["approve"]:
            return answer({**shown, "files": [{"path": "__DIFF__.patch", "diff": shown["patch"]}]})
        _check_fresh(task.files, before)
        _write(root, task, allowed)
        who = Who("builder", key_id(), None, current_id())
        insert_audit(
            task.connection,
            who,
            "builder.apply",
            f"task {task.id}",
            after={"files": [file.path for file in task.files]},
        )
    desk.settle_later(here)
    return answer({**shown, "task_id": task.id, "status": "applied", "diff_summary": _applied(task.files)})


def _applied(changes: Sequence[FileChange]) -> str:
    return f"applied {len(changes)} files"


def _check_fresh(changes: Sequence[FileChange], before: Sequence[str | None]) -> None:
    for file, old in zip(changes, before, strict=True):
        if old == file.content:  # written by an apply whose note was lost
            continue
        if file.mode == "add" and old is not None:
            raise Conflict(f"{file.path} exists already: draft it with mode replace.", code="FILE_EXISTS")
        if digest(old) != file.base:
            raise Conflict(f"{file.path} has changed since the draft: draft it anew.", code="DRAFT_OUTDATED")


def _write(root: Path | None, task: store.Task, allowed: Sequence[str]) -> None:
    """Write the draft and note it. The note commits after the files stand; without it they are put back."""
    if root is None:
        raise Conflict("BUILDER_ROOT is unset, so nothing may be written here.", code="NO_BUILDER_ROOT")
    places = [(parts_of(file.path, allowed) or (), file.content) for file in task.files]
    own = [file.path for file in task.files if Path(root, file.path).is_relative_to(ROOT)]
    if own and task.is_live():
        raise Conflict(
            f"Go-live is on, so the server's own code stays as it is: {', '.join(own)}.", code="GO_LIVE_IS_ON"
        )
    apply_id = secrets.token_hex(16)
    noted = {"paths": [file.path for file in task.files], "apply_id": apply_id}
    task.save("applied", _applied(task.files), task.files, noted)
    try:
        journal.write_all(root, apply_id, places)
    except files.LeadsAway:
        raise BadDraft("path not allowed: a link stands on the way", code="PATH_NOT_ALLOWED") from None
