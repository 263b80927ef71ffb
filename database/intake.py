"""The numbers of intake: by hour, latencies, quarantine, last alerts, rhythms."""

from collections import Counter
from datetime import datetime
from typing import Any, Final

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES

CADENCE_ALERTS: Final = 200


def select_numbers(pool: Pool, *, since: datetime) -> dict[str, Any]:
    """Deliveries by hour and kind, latencies in ms, quarantine and the last alert of each strategy since then."""
    with pool.transaction(timeout=20) as connection:
        hours = _count_hours(connection, since)
        latencies = QUERIES.intake.select_latencies(connection, since=since)
        waiting = QUERIES.intake.select_quarantine_size(connection)
        last = list(QUERIES.intake.select_last_alerts(connection, since=since))
    return {"hours": hours, "latencies": latencies, "waiting": waiting, "last": last}


def _count_hours(connection: Connection, since: datetime) -> list[tuple[datetime, str, int]]:
    """(hour, kind, deliveries), in order: new events from the events themselves, the rest from the rows they left."""
    found: Counter[tuple[datetime, str]] = Counter()
    for row in QUERIES.intake.count_others_by_hour(connection, since=since):
        found[row.hour, row.kind] += row.deliveries
    for row in QUERIES.intake.count_events_by_hour(connection, since=since):
        found[row.hour, "first"] += row.deliveries
    failures = list(QUERIES.intake.select_failures(connection, since=since))
    if failures:
        hashes, times = [row.body_hash for row in failures], [row.received_at for row in failures]
        asked = {"since": since, "body_hashes": hashes, "failed_at": times}
        for row in QUERIES.intake.count_resent_by_hour(connection, **asked):
            found[row.hour, "first"] -= row.deliveries
            found[row.hour, "resend"] += row.deliveries
    return sorted((hour, kind, deliveries) for (hour, kind), deliveries in found.items() if deliveries)


def select_cadence(pool: Pool, *, since: datetime) -> list[Any]:
    """(strategy, symbol, ascending times of receipt) of the newest alerts of each."""
    with pool.transaction(timeout=20) as connection:
        return list(QUERIES.intake.select_cadence(connection, since=since, each=CADENCE_ALERTS))


def select_receipts(
    pool: Pool, *, kind: str | None, since: datetime | None, before: tuple[datetime, str] | None, limit: int
) -> list[Any]:
    """A page of deliveries that did not become a new event, newest first."""
    before_time, before_id = before or (None, None)
    with pool.transaction() as connection:
        return list(
            QUERIES.intake.select_receipts(
                connection, kind=kind, since=since, before_time=before_time, before_id=before_id, limit=limit
            )
        )


def select_waiting(pool: Pool) -> Any:
    """(waiting, oldest) of the quarantine."""
    with pool.transaction() as connection:
        return QUERIES.intake.select_quarantine_size(connection)
