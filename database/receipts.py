"""Receipts: what did not become a new event leaves a row, what nobody let in is counted."""

import threading
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.signals import Stored
from database.spool import RECEIPTS, Spool
from state import jsontext

#: More unreported refusals than this in one process are only counted.
KEPT_REFUSALS: Final = 10_000
#: The part of the spool that refusals may fill.
RECEIPTS_SHARE: Final = 0.5
SAVE_SECONDS: Final = 2.0

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST to the webhook: when it came, from where, and whether an operator sent it again."""

    received_at: datetime
    peer: str
    replay_of: int | None = None


class Outcome(NamedTuple):
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


def refusal(delivery: Delivery, *, body_hash: str, status: int, code: str) -> Row:
    """The row of an authentic delivery that was refused and is kept nowhere else."""
    row = {"received_at": delivery.received_at, "kind": "refused", "body_hash": body_hash}
    return {**row, "status": status, "code": code, "peer": delivery.peer}


def insert_refusal(pool: Pool, row: Row, *, timeout: float) -> None:
    """Leave a refusal's row in the database."""
    with pool.transaction(timeout=timeout) as connection:
        QUERIES.intake.insert_receipts(connection, rows=jsontext.dump([row]))


def spool_refusals(spool: Spool, rows: Sequence[Row], *, timeout: float) -> None:
    """Leave refusals' rows in the spool, of which half stays free for alerts. Raises SpoolUnavailable."""
    spool.put(RECEIPTS, rows[0]["received_at"], jsontext.dump(rows), timeout=timeout, share=RECEIPTS_SHARE)


def insert_spooled(connection: Connection, content: str) -> None:
    """Store refusals that waited in the spool, each once however often they are moved."""
    QUERIES.intake.insert_spooled_receipts(connection, rows=content)


class Tally:
    """What this process has refused since its last report; it reports when the database is there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[datetime, str]] = Counter()
        self._rows: deque[Row] = deque()

    def count(self, kind: str, at: datetime) -> None:
        """Count a delivery that nobody let in; nothing of it is kept."""
        with self._lock:
            self._counts[_hour(at), kind] += 1

    def refused(self, row: Row) -> None:
        """Note a refusal for which there was no other place."""
        with self._lock:
            if len(self._rows) < KEPT_REFUSALS:
                self._rows.append(row)
            else:
                self._counts[_hour(row["received_at"]), "refused"] += 1

    def save(self, spool: Spool) -> int:
        """Move the refusals that are noted to the spool while the database is away; returns how many."""
        with self._lock:
            rows = list(self._rows)
        if rows:
            spool_refusals(spool, rows, timeout=SAVE_SECONDS)
            with self._lock:
                for _ in rows:
                    self._rows.popleft()
        return len(rows)

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
