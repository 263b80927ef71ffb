"""The outbox of notices: who is to be told what, how often it was tried, and what became of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from database.pool import Pool
from database.queries import QUERIES
from state.notices import MAX_ATTEMPTS, Notice

#: Longer than an attempt can take: a delivery comes up again only when its worker is gone.
HOLD_SECONDS: Final = 60.0


def plan(pool: Pool, targets: Sequence[str], *, once: Sequence[str] = ()) -> None:
    """Give every receiver a row for each notice that has none.

    What a dead worker left on its way to a receiver in `once` has an unknown end, and no other attempt.
    """
    with pool.transaction() as connection:
        QUERIES.notices.plan_deliveries(connection, targets=list(targets))
        QUERIES.notices.mark_unanswered(connection, targets=list(once))


def begin_attempt(pool: Pool, targets: Sequence[str]) -> tuple[str, int, Notice] | None:
    """The next delivery that is due: (receiver's name, which attempt this is, the notice), or None."""
    with pool.transaction() as connection:
        row = QUERIES.notices.begin_attempt(connection, targets=list(targets), hold_seconds=HOLD_SECONDS)
    if row is None:
        return None
    return row.target, row.attempts, Notice(row.id, row.kind, row.fact, row.title, row.detail, row.created_at)


def mark_delivered(pool: Pool, notice_id: int, target: str, status_code: int | None) -> None:
    """The receiver took the notice."""
    with pool.transaction() as connection:
        QUERIES.notices.mark_delivered(connection, notice_id=notice_id, target=target, status_code=status_code)


def mark_failed(
    pool: Pool, notice_id: int, target: str, *, attempts: int, status_code: int | None, error: str, wait: float | None
) -> None:
    """The receiver did not take the notice: it is tried again after `wait` seconds, unless that was the last time.

    Without `wait` it may have taken it, which stays unknown: it is not sent again.
    """
    status = "unknown" if wait is None else "given_up" if attempts >= MAX_ATTEMPTS else "pending"
    with pool.transaction() as connection:
        QUERIES.notices.mark_failed(
            connection,
            notice_id=notice_id,
            target=target,
            status_code=status_code,
            error=error,
            wait_seconds=wait or 0,
            status=status,
        )


def select_notices(pool: Pool, *, kind: str | None, before: tuple[datetime, str] | None, limit: int) -> list[Any]:
    """A page of notices, newest first: id, kind, fact, title, detail, created_at, deliveries."""
    before_time, before_id = before or (None, None)
    with pool.transaction() as connection:
        return list(
            QUERIES.notices.select_notices(
                connection, kind=kind, before_time=before_time, before_id=before_id, limit=limit
            )
        )
