"""Removing what has outlived its days, in small batches. Never the audit, alerts or ledgers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from database.pool import Pool
from database.queries import QUERIES

BATCH: Final = 1000
#: A whole run, during which its lock is held.
RUN_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A table whose rows may go after some days, and the query that removes a batch of them."""

    table: str
    delete: Callable[..., int]


#: To add a kind: its query and a line here, and its days in `remove_old`.
KINDS: Final = {
    "kpi_events": Kind("kpi_event", QUERIES.retention.delete_old_kpis),
    "telemetry": Kind("telemetry_events", QUERIES.retention.delete_old_telemetry),
    "receipts": Kind("receipt", QUERIES.retention.delete_old_receipts),
}


def remove_old(
    url: str, days: dict[str, int], also: Iterable[Callable[[], dict[str, int]]] = ()
) -> dict[str, int] | None:
    """Remove what is older than its days (0: keep for ever); returns how many of each kind, None when another run
    is at work. `also` are removals outside the database that share the turn.
    """
    pool = Pool(url, 2)
    try:
        with pool.transaction(timeout=RUN_SECONDS) as turn:
            if not QUERIES.retention.try_alone(turn):
                return None
            removed = {name: _remove(pool, kind, days.get(name, 0)) for name, kind in KINDS.items()}
            for more in also:
                removed |= more()
            return removed
    finally:
        pool.close()


def _remove(pool: Pool, kind: Kind, days: int) -> int:
    if days <= 0:
        return 0
    before = datetime.now(UTC) - timedelta(days=days)
    with pool.transaction() as connection:
        if not QUERIES.retention.select_table_exists(connection, name=kind.table):
            return 0
    removed = 0
    while gone := _batch(pool, kind, before):
        removed += gone
    return removed


def _batch(pool: Pool, kind: Kind, before: Any) -> int:
    with pool.transaction(timeout=30) as connection:
        return int(kind.delete(connection, before=before, batch=BATCH))
