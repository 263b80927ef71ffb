"""Removing what has outlived its days, in small batches. Never the audit, alerts, ledgers, trades or equity."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from database.counts import delete_noted
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES

BATCH: Final = 1000
#: Between two batches the database is left alone for as long as the last one took, and at most for these seconds.
BREATH_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table that may go after some days, and the query that removes a batch of them.

    `whole_days`: only up to the beginning of a UTC day, so that no hour or day with aggregates is cut in two.
    """

    table: str
    delete: Callable[..., int]
    whole_days: bool = False


_QUERIES: Final = QUERIES.retention


def _delete_telemetry_events(connection: Connection, *, before: datetime, batch: int) -> int:
    delete = partial(_QUERIES.delete_old_telemetry, before=before, batch=batch)
    return delete_noted(connection, "telemetry_events", delete)


#: To add a table: its query and a line here. To add a kind: a line here, and its days in the job's `days_of`.
KINDS: Final[Mapping[str, tuple[Rows, ...]]] = {
    "kpi_events": (Rows("kpi_event", _QUERIES.delete_old_kpis),),
    "telemetry": (
        Rows("telemetry_events", _delete_telemetry_events),
        Rows("dd_order_metrics", _QUERIES.delete_old_order_metrics, whole_days=True),
        Rows("dd_orders", _QUERIES.delete_old_orders, whole_days=True),
        Rows("dd_breakout_signals", _QUERIES.delete_old_breakout_signals, whole_days=True),
        Rows("dd_api_latency", _QUERIES.delete_old_api_latency, whole_days=True),
        Rows("dd_system_health", _QUERIES.delete_old_system_health, whole_days=True),
        Rows("dd_telemetry_metrics", _QUERIES.delete_old_aggregates, whole_days=True),
    ),
    "receipts": (
        Rows("receipt", _QUERIES.delete_old_receipts),
        Rows("dd_telemetry_batch", _QUERIES.delete_old_batches),
    ),
}


def remove_old(
    pool: Pool, days: Mapping[str, int], *, now: datetime, halted: Callable[[], bool] = lambda: False
) -> dict[str, int]:
    """Remove what is older than its kind's days (0: keep for ever); returns how many rows of each kind.

    `halted` is asked between batches: then the rest is left to the next run. Safe to run twice at once.
    """
    return {
        name: sum(_remove(pool, rows, now - timedelta(days=days[name]), halted) for rows in kind)
        if days.get(name, 0) > 0
        else 0
        for name, kind in KINDS.items()
    }


def _remove(pool: Pool, rows: Rows, before: datetime, halted: Callable[[], bool]) -> int:
    if rows.whole_days:
        before = before.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with pool.transaction() as connection:
        if not _QUERIES.select_table_exists(connection, name=rows.table):
            return 0
    removed = 0
    while not halted():
        started = time.monotonic()
        gone = _batch(pool, rows, before)
        removed += gone
        if gone < BATCH:
            break
        time.sleep(min(time.monotonic() - started, BREATH_SECONDS))
    return removed


def _batch(pool: Pool, rows: Rows, before: Any) -> int:
    with pool.transaction(timeout=30) as connection:
        return int(rows.delete(connection, before=before, batch=BATCH))
