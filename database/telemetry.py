"""Storing what trading scripts record: one transaction per batch, and a batch counts once."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from errors import Conflict
from state import jsontext
from state.telemetry.orders import order_states
from state.telemetry.records import EQUITY, HEALTH, LATENCY, ORDER, OUTCOME, SIGNAL, Row

STORE_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """How many records of a batch are in the store, and whether an earlier delivery had put them there."""

    accepted: int
    duplicate: bool


def insert_batch(pool: Pool, rows: Sequence[Row], *, batch_id: str, body_hash: str, now: datetime) -> StoredBatch:
    """Store the records of one batch with everything that follows from them, or find that they are stored.

    A batch is claimed per profile, so that the claim lies with the rows. Raises Conflict when the same batch id came
    with another body.
    """
    counts = Counter(row.profile_id for row in rows)
    if not counts:
        return StoredBatch(0, duplicate=False)
    with pool.transaction(timeout=STORE_SECONDS) as connection:
        claims = [
            {
                "profile_id": profile_id,
                "batch_id": batch_id,
                "body_hash": body_hash,
                "accepted": count,
                "received_at": now,
            }
            for profile_id, count in sorted(counts.items())
        ]
        claimed = {row.profile_id for row in QUERIES.telemetry.insert_batches(connection, rows=jsontext.dump(claims))}
        _insert_rows(connection, [row for row in rows if row.profile_id in claimed], now)
        if claimed == counts.keys():
            return StoredBatch(len(rows), duplicate=False)
        # Of this transaction's own claims and those of the earlier delivery.
        known = list(QUERIES.telemetry.select_batches(connection, profile_ids=sorted(counts), batch_id=batch_id))
        if any(claim.body_hash != body_hash for claim in known):
            raise Conflict("This X-Batch-Id came before with other records.", code="BATCH_ID_REUSED")
        return StoredBatch(sum(claim.accepted for claim in known), duplicate=True)


def _insert_rows(connection: Connection, rows: Sequence[Row], now: datetime) -> None:
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(row.kind, []).append(row)
    queries = QUERIES.telemetry
    inserts: dict[str, Callable[..., Any]] = {
        SIGNAL: queries.insert_signals,
        OUTCOME: queries.insert_outcomes,
        EQUITY: queries.insert_equity_points,
        ORDER: queries.insert_order_metrics,
        HEALTH: queries.insert_health,
    }
    for kind, insert in inserts.items():
        if kind in kinds:
            insert(connection, rows=jsontext.dump([_columns(row) for row in kinds[kind]]), now=now)
    if latencies := latency_samples(rows):
        queries.insert_latencies(connection, rows=jsontext.dump(latencies), now=now)
    if states := order_states(kinds.get(ORDER, ())):
        queries.upsert_orders(connection, rows=jsontext.dump([state.as_dict() for state in states]))
    mark_hours(connection, ((row.profile_id, window_time(row)) for row in rows))


def _columns(row: Row) -> dict[str, Any]:
    return {"profile_id": row.profile_id, "recorded_at": row.recorded_at, **row.columns}


def latency_samples(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows of API latency that a batch tells: its latency records, and the calls that placed its orders."""
    samples = []
    for row in rows:
        latency = row.columns.get("latency_ms" if row.kind == LATENCY else "api_latency_ms")
        if row.kind in (LATENCY, ORDER) and latency is not None:
            script = row.columns["script_name"]
            sample = {"recorded_at": row.recorded_at, "script_name": script, "latency_ms": latency}
            samples.append({"profile_id": row.profile_id, **sample})
    return samples


def window_time(row: Row) -> datetime:
    """The time that puts a record into a window: a trade's entry, anything else's own time."""
    at: datetime = row.columns["entry_time"] if row.kind == OUTCOME else row.recorded_at
    return at


def mark_hours(connection: Connection, moments: Iterable[tuple[int, datetime]]) -> None:
    """Note, in the caller's transaction, that the aggregates of these profiles' hours are out of date."""
    hours = sorted({(profile_id, at.replace(minute=0, second=0, microsecond=0)) for profile_id, at in moments})
    if hours:
        QUERIES.telemetry.insert_dirty_hours(
            connection, profile_ids=[profile_id for profile_id, _ in hours], hours=[hour for _, hour in hours]
        )
