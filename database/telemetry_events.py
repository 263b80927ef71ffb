"""Events of the system's own life: added, read, never changed."""

from datetime import datetime
from typing import Any

from database.pool import Pool
from database.queries import QUERIES
from errors import Conflict


def insert_event(
    pool: Pool, *, kind: str, message: str | None, meta_json: str | None, key: str | None, request_hash: str
) -> Any:
    """Record an event, once per key: id, kind, created_at. Raises Conflict when the key was used otherwise."""
    with pool.transaction() as connection:
        made = QUERIES.telemetry_events.insert_telemetry(
            connection,
            kind=kind,
            message=message,
            meta_json=meta_json,
            idempotency_key=key,
            request_hash=request_hash,
        )
        if made is None:
            made = QUERIES.telemetry_events.select_telemetry_by_key(connection, idempotency_key=key)
            if made.request_hash != request_hash:
                raise Conflict("This Idempotency-Key was used for another request.", code="IDEMPOTENCY_KEY_REUSED")
        return made


def select_events(pool: Pool, *, kind: str | None, before: tuple[datetime, str] | None, limit: int) -> list[Any]:
    """A page of events, newest first: id, kind, message, meta_json, created_at."""
    before_time, before_id = before or (None, None)
    with pool.transaction() as connection:
        return list(
            QUERIES.telemetry_events.select_telemetry(
                connection, kind=kind, before_time=before_time, before_id=before_id, limit=limit
            )
        )
