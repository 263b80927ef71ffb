"""The builder's tasks, their drafts, and the record of what it did."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from errors import NotFound
from state import jsontext
from state.builder import FileChange

#: Writing files and the draft's note happen in one transaction.
APPLY_SECONDS = 30.0


def insert_task(pool: Pool, *, title: str, scope: str, plan: str | None) -> int:
    """Begin a task; returns its id."""
    with pool.transaction() as connection:
        task_id: int = QUERIES.builder.insert_task(connection, title=title, scope=scope, plan=plan)
        _note(connection, "task", f"Task {task_id} begun", {"task_id": task_id, "title": title})
        return task_id


def select_tasks(pool: Pool, *, before: tuple[datetime, str] | None, limit: int) -> list[Any]:
    """A page of tasks, newest first: id, title, scope, status, diff_summary, created_at, updated_at."""
    before_time, before_id = before or (None, None)
    with pool.transaction() as connection:
        return list(QUERIES.builder.select_tasks(connection, before_time=before_time, before_id=before_id, limit=limit))


def insert_event(pool: Pool, kind: str, msg: str | None, meta: Mapping[str, Any] | str | None) -> None:
    """Note something about the builder; `meta` is an object or a JSON text."""
    with pool.transaction() as connection:
        _note(connection, kind, msg, meta)


def _note(connection: Connection, kind: str, msg: str | None, meta: Mapping[str, Any] | str | None) -> None:
    text = meta if isinstance(meta, str) or meta is None else jsontext.dump(meta)
    QUERIES.builder.insert_builder_event(connection, kind=kind, msg=msg, meta_json=text)


@dataclass(frozen=True, slots=True)
class Desk:
    """The only one who writes files, from `take` to the end of the transaction."""

    connection: Connection

    def take(self) -> None:
        """Wait until nobody else writes."""
        QUERIES.builder.lock_desk(self.connection)

    def is_committed(self, apply_id: str) -> bool:
        """Whether an apply was noted for good."""
        return bool(QUERIES.builder.is_apply_committed(self.connection, apply_id=apply_id))


@contextmanager
def taken_desk(pool: Pool) -> Iterator[Desk]:
    """The desk, for whoever brings to its end what another has left."""
    with pool.transaction(timeout=APPLY_SECONDS) as connection:
        desk = Desk(connection)
        desk.take()
        yield desk


@dataclass(frozen=True, slots=True)
class Task(Desk):
    """A task that is held for as long as the block of `held_task` runs."""

    id: int
    status: str
    files: tuple[FileChange, ...]

    def save(self, status: str, summary: str, files: Sequence[FileChange], meta: Mapping[str, Any]) -> None:
        """The task's new state, with a note of it."""
        payload = jsontext.dump({"files": [asdict(file) for file in files]})
        QUERIES.builder.update_task(
            self.connection, task_id=self.id, status=status, diff_summary=summary, payload_json=payload
        )
        kind = "apply" if status == "applied" else "draft"
        _note(self.connection, kind, f"Task {self.id}: {summary}", {"task_id": self.id, **meta})

    def is_live(self) -> bool:
        """Whether trading is live, by the switch; an installation without one is not."""
        return bool(QUERIES.builder.has_go_live_switch(self.connection)) and bool(
            QUERIES.builder.is_live(self.connection)
        )


@contextmanager
def held_task(pool: Pool, task_id: int) -> Iterator[Task]:
    """A task that nobody else drafts or applies while the block runs. Raises NotFound."""
    with pool.transaction(timeout=APPLY_SECONDS) as connection:
        row = QUERIES.builder.lock_task(connection, task_id=task_id)
        if row is None:
            raise NotFound("task not found", code="TASK_NOT_FOUND")
        yield Task(connection, row.id, row.status, _files(row.payload_json))


def _files(payload: str | None) -> tuple[FileChange, ...]:
    """The draft of a task; one that the older system stored in another form counts as none."""
    stored = jsontext.stored(payload) if payload else {}
    files = stored.get("files") if isinstance(stored, dict) else None
    wanted = {"path", "content", "mode"}
    return tuple(
        FileChange(file["path"], file["content"], file["mode"], file.get("base"))
        for file in files or ()
        if isinstance(file, dict) and wanted <= file.keys()
    )
