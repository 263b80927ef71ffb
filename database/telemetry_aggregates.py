"""Hourly and daily aggregates of telemetry: disposable, recomputed from the rows whenever these changed."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES

HOURS_AT_ONCE: Final = 500
COMPUTE_SECONDS: Final = 300.0
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


def recompute(pool: Pool) -> int:
    """Compute every window again in which something was recorded since its last computation; returns how many.

    Marks made while this runs are kept for the next one, so no record is ever left out for good.
    """
    windows = 0
    while True:
        with pool.transaction(timeout=COMPUTE_SECONDS) as connection:
            QUERIES.telemetry_aggregates.lock_aggregates(connection)
            marks = list(QUERIES.telemetry_aggregates.select_dirty_hours(connection, limit=HOURS_AT_ONCE))
            if not marks:
                return windows
            windows += _compute(connection, {(mark.profile_id, mark.hour.astimezone(UTC)) for mark in marks})
            QUERIES.telemetry_aggregates.delete_dirty_hours(
                connection, profile_ids=[mark.profile_id for mark in marks], seqs=[mark.seq for mark in marks]
            )


def _compute(connection: Connection, hours: set[tuple[int, datetime]]) -> int:
    """Compute the windows of these hours and of their days (UTC)."""
    windows = {(profile_id, "hour", hour, hour + _HOUR) for profile_id, hour in hours}
    for profile_id, hour in hours:
        day = hour.replace(hour=0)
        windows.add((profile_id, "day", day, day + _DAY))
    ordered = sorted(windows)
    given: dict[str, Any] = {
        "profile_ids": [profile_id for profile_id, _, _, _ in ordered],
        "window_types": [kind for _, kind, _, _ in ordered],
        "starts": [start for _, _, start, _ in ordered],
    }
    queries = QUERIES.telemetry_aggregates
    queries.delete_windows(connection, **given)
    given.update(ends=[end for _, _, _, end in ordered], now=datetime.now(UTC))
    for insert in (
        queries.insert_trade_metrics,
        queries.insert_signal_metrics,
        queries.insert_equity_metrics,
        queries.insert_order_metrics,
        queries.insert_latency_metrics,
        queries.insert_health_metrics,
    ):
        insert(connection, **given)
    return len(ordered)
