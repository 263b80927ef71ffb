"""Playbooks: texts that people wrote, read by everybody when enabled."""

from datetime import datetime
from typing import Any

from database.pool import Pool
from database.queries import QUERIES
from errors import NotFound


def insert_playbook(pool: Pool, **values: Any) -> Any:
    """A new playbook, or None when its slug is taken."""
    with pool.transaction() as connection:
        return QUERIES.playbooks.insert_playbook(connection, **values)


def update_playbook(pool: Pool, slug: str, *, new_slug: str | None, **values: Any) -> Any:
    """Change what is not None; None when the new slug is taken. Raises NotFound."""
    with pool.transaction() as connection:
        if new_slug not in (None, slug) and QUERIES.playbooks.slug_taken(connection, slug=new_slug):
            return None
        row = QUERIES.playbooks.update_playbook(connection, slug=slug, new_slug=new_slug, **values)
        if row is None:
            raise _no_playbook()
        return row


def delete_playbook(pool: Pool, slug: str) -> None:
    """Remove a playbook. Raises NotFound."""
    with pool.transaction() as connection:
        if not QUERIES.playbooks.delete_playbook(connection, slug=slug):
            raise _no_playbook()


def select_playbook(pool: Pool, slug: str) -> Any:
    """One enabled playbook. Raises NotFound."""
    with pool.transaction() as connection:
        row = QUERIES.playbooks.select_playbook(connection, slug=slug)
        if row is None:
            raise _no_playbook()
        return row


def select_playbooks(pool: Pool, *, before: tuple[datetime, str] | None, limit: int) -> list[Any]:
    """A page of enabled playbooks, newest first."""
    before_time, before_id = before or (None, None)
    with pool.transaction() as connection:
        return list(
            QUERIES.playbooks.select_playbooks(connection, before_time=before_time, before_id=before_id, limit=limit)
        )


def _no_playbook() -> NotFound:
    return NotFound("There is no such playbook.", code="PLAYBOOK_NOT_FOUND")
