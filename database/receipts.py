"""Receipts: what did not become a new event leaves a row, what nobody let in is counted."""

import threading
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.signals import Stored
from state import jsontext

#: More unreported refusals than this in one process are only counted.
KEPT_REFUSALS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST to the webhook: when it came, from where, and whether an operator sent it again."""

    received_at: datetime
    peer: str
    replay_of: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where an event of a delivery ended up."""

    trade_id: str
    body_hash: str
    stored: Stored
    delivery: Delivery


def insert_repeats(connection: Connection, outcomes: Iterable[Outcome]) -> None:
    """Leave a receipt for each event that was a repeat or a replay, in the caller's transaction."""
    rows = [
        {
            "received_at": one.delivery.received_at,
            "kind": "repeat" if one.delivery.replay_of is None else "replay",
            "body_hash": one.body_hash,
            "trade_id": one.trade_id,
            "event_id": one.stored.event_id,
            "quarantine_id": one.delivery.replay_of,
            "status": 200,
            "peer": one.delivery.peer,
        }
        for one in outcomes
        if one.stored.duplicate or one.delivery.replay_of is not None
    ]
    if rows:
        QUERIES.intake.insert_receipts(connection, rows=jsontext.dump(rows))


class Tally:
    """What this process has refused since its last report; it reports when the database is there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[datetime, str]] = Counter()
        self._rows: deque[dict[str, Any]] = deque()

    def count(self, kind: str, at: datetime) -> None:
        """Count a delivery that nobody let in; nothing of it is kept."""
        with self._lock:
            self._counts[_hour(at), kind] += 1

    def refused(self, delivery: Delivery, *, body_hash: str, status: int, code: str) -> None:
        """Note an authentic delivery that was refused and is kept nowhere else."""
        row = {"received_at": delivery.received_at, "kind": "refused", "body_hash": body_hash}
        with self._lock:
            if len(self._rows) < KEPT_REFUSALS:
                self._rows.append({**row, "status": status, "code": code, "peer": delivery.peer})
            else:
                self._counts[_hour(delivery.received_at), "refused"] += 1

    def report(self, pool: Pool) -> int:
        """Write what is noted and forget it; returns how much it was. Raises DatabaseError and keeps it then."""
        with self._lock:
            counts, rows = self._counts.copy(), list(self._rows)
        if not counts and not rows:
            return 0
        with pool.transaction(timeout=5) as connection:
            if rows:
                QUERIES.intake.insert_receipts(connection, rows=jsontext.dump(rows))
            if counts:
                QUERIES.intake.add_to_hours(
                    connection,
                    hours=[hour for hour, _ in counts],
                    kinds=[kind for _, kind in counts],
                    counts=list(counts.values()),
                )
        with self._lock:
            self._counts -= counts
            for _ in rows:
                self._rows.popleft()
        return len(rows) + len(counts)


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
