"""Deleting trades so that it is known who did it, and so that they can be put back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion came to: `events` by trade id; no id when nothing was there to delete."""

    id: int | None
    events: dict[str, int]


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, why, in which request, and when."""

    actor: str
    reason: str | None
    request_id: str
    at: datetime


def delete_trades(pool: Pool, trade_ids: Sequence[str], by: By) -> Deletion:
    """Take whole trades (or streams) out, in one transaction."""
    with pool.transaction(timeout=120) as connection:
        return _delete(connection, "delete", sorted(set(trade_ids)), by)


def purge_ghosts(pool: Pool, by: By) -> Deletion:
    """Take out what stands under ids that no alert may have: none at all, or one with a comma."""
    with pool.transaction(timeout=120) as connection:
        ghosts = [row.trade_id for row in QUERIES.deletions.select_ghosts(connection)]
        return _delete(connection, "purge_ghosts", ghosts, by)


def _delete(connection: Connection, kind: str, trade_ids: Sequence[str], by: By) -> Deletion:
    if not trade_ids:
        return Deletion(None, {})
    ids = list(trade_ids)
    deletion_id: int = QUERIES.deletions.insert_deletion(
        connection, kind=kind, actor=by.actor, reason=by.reason, request_id=by.request_id, deleted_at=by.at
    )
    moved = _move(connection, deletion_id, ids)
    forget(connection, ids)
    QUERIES.deletions.count_deletion(
        connection, deletion_id=deletion_id, trade_count=len(moved), event_count=sum(moved.values())
    )
    return Deletion(deletion_id, moved)


def forget(connection: Connection, ids: list[str]) -> None:
    """Forget what was derived from trades whose events are taken out.

    One statement for each table: on a cluster a row of `trade_dirty` gets its number only from a statement that
    changes nothing else.
    """
    QUERIES.deletions.forget_window(connection, trade_ids=ids)
    QUERIES.deletions.forget_feed(connection, trade_ids=ids)
    QUERIES.deletions.forget_pending(connection, trade_ids=ids)
    QUERIES.deletions.mark_dirty(connection, trade_ids=ids)


def _move(connection: Connection, deletion_id: int, ids: list[str]) -> dict[str, int]:
    """Take events out and keep them; returns how many of each trade."""
    list(QUERIES.deletions.lock_deletions(connection))
    QUERIES.deletions.keep_events(connection, deletion_id=deletion_id, trade_ids=ids)
    kept = list(QUERIES.deletions.select_kept(connection, deletion_id=deletion_id))
    QUERIES.deletions.delete_events(
        connection, trade_ids=[row.trade_id for row in kept], event_ids=[row.event_id for row in kept]
    )
    return dict(Counter(row.trade_id for row in kept))


def restore(pool: Pool, *, trade_ids: Sequence[str] | None, deletion_id: int | None, by: By) -> dict[str, int]:
    """Put deleted trades back, those of the ids, of the deletion, or of both; returns events put back by trade id."""
    with pool.transaction(timeout=120) as connection:
        held = list(
            QUERIES.deletions.lock_deleted(
                connection, trade_ids=None if trade_ids is None else sorted(set(trade_ids)), deletion_id=deletion_id
            )
        )
        if not held:
            return {}
        asked = {
            "trade_ids": [row.trade_id for row in held],
            "deletion_ids": [row.deletion_id for row in held],
            "event_ids": [row.event_id for row in held],
        }
        rows = QUERIES.deletions.select_event_rows(connection, **asked)
        back = list(QUERIES.deletions.restore_events(connection, rows=rows))
        QUERIES.deletions.note_restored(connection, **asked, restored_at=by.at, restored_by=by.actor)
        QUERIES.feed.queue(connection, trade_ids=[row.trade_id for row in back], event_ids=[row.id for row in back])
        restored = dict.fromkeys(sorted({row.trade_id for row in held}), 0)
        for row in back:
            restored[row.trade_id] += 1
        QUERIES.deletions.mark_dirty(connection, trade_ids=list(restored))
        return restored


def select_deletions(pool: Pool, *, before: tuple[datetime, int] | None, limit: int) -> list[Any]:
    """Deletions, newest first, with how many of their events can still be put back (`restorable`)."""
    before_time, before_id = before or (None, None)
    with pool.transaction() as connection:
        return list(
            QUERIES.deletions.select_deletions(connection, before_time=before_time, before_id=before_id, limit=limit)
        )
