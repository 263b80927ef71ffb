"""Research: sources, their documents, and finding words in them."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from database.counts import delete_noted
from database.pool import Pool
from database.queries import QUERIES
from errors import NotFound


def _no_source(source_id: int) -> NotFound:
    return NotFound(f"There is no research source {source_id}.", code="SOURCE_NOT_FOUND")


def insert_source(pool: Pool, **values: Any) -> Any:
    """A new source, as the table has it."""
    with pool.transaction() as connection:
        return QUERIES.research.insert_source(connection, **values)


def update_source(pool: Pool, source_id: int, **values: Any) -> Any:
    """Change what is not None. Raises NotFound."""
    with pool.transaction() as connection:
        row = QUERIES.research.update_source(connection, source_id=source_id, **values)
        if row is None:
            raise _no_source(source_id)
        return row


def delete_source(pool: Pool, source_id: int) -> int:
    """Remove a source with its documents; returns how many these were. Raises NotFound."""
    with pool.transaction(timeout=30) as connection:
        delete = partial(QUERIES.research.delete_source_docs, source_id=source_id)
        gone = delete_noted(connection, "research_docs", delete)
        if not QUERIES.research.delete_source(connection, source_id=source_id):
            raise _no_source(source_id)
        return gone


def select_source(pool: Pool, source_id: int) -> Any:
    """One source. Raises NotFound."""
    with pool.transaction() as connection:
        row = QUERIES.research.select_source(connection, source_id=source_id)
        if row is None:
            raise _no_source(source_id)
        return row


def select_sources(pool: Pool, *, before: tuple[datetime, str] | None, limit: int) -> list[Any]:
    """A page of sources, newest first."""
    before_time, before_id = before or (None, None)
    with pool.transaction() as connection:
        return list(
            QUERIES.research.select_sources(connection, before_time=before_time, before_id=before_id, limit=limit)
        )


def insert_docs(
    pool: Pool, source_id: int, *, title: str | None, url: str | None, chunks: Sequence[str], content_hash: str
) -> int:
    """Add a text in pieces; returns how many are new: 0 for a text that the source has already."""
    with pool.transaction(timeout=20) as connection:
        rows = QUERIES.research.insert_docs(
            connection, source_id=source_id, title=title, url=url, chunks=list(chunks), content_hash=content_hash
        )
        added = len(list(rows))
        QUERIES.research.mark_ingested(connection, source_id=source_id)
        return added


def select_matches(pool: Pool, question: str, limit: int) -> list[Any]:
    """Documents by rank: source_name, doc_id, title, url, snippet, relevance_score (0 to below 1)."""
    with pool.transaction(timeout=10) as connection:
        return list(QUERIES.research.select_matches(connection, question=question, limit=limit))
