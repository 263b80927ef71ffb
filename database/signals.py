"""Storing and reading the events of trades."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from database import deletions
from database.aside import patiently
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.rows import from_event, to_event
from state import jsontext
from state.event import SignalEvent
from state.position import stream_of

#: An event as a row of automated_signals: column to plain value.
Row = dict[str, Any]

#: Timeless alerts with the same body count as one within this time.
REPEAT_WINDOW = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Stored:
    """Where an event is: its row number, and whether an earlier alert had put it there."""

    event_id: int | None
    duplicate: bool


def insert_events(connection: Connection, events: Sequence[SignalEvent]) -> list[Stored]:
    """Store events in one statement and say, in their order, where each is: see `insert_rows`."""
    return insert_rows(connection, [from_event(event) for event in events])


def commit_new_rows(connection: Connection, rows: Sequence[Row]) -> list[Stored] | None:
    """Store and commit rows in a single round trip, and say, in their order, where each is.

    None when that takes more: for rows without a time of their own, and for repeats, beside which the others are
    stored by then; `insert_rows` finds them. After an error the connection must not be used again.
    """
    if not all(row["has_own_time"] for row in rows):
        return None
    connection.autocommit = True
    new = {(row.trade_id, row.event_key): row.id for row in _insert(connection, rows)}
    connection.autocommit = False
    if len(new) < len(rows):
        return None
    return [Stored(new[row["trade_id"], row["event_key"]], duplicate=False) for row in rows]


def insert_rows(connection: Connection, rows: Sequence[Row]) -> list[Stored]:
    """Store events, given as `from_event` makes them, and say, in their order, where each is.

    Row numbers follow the order of `rows`. A repeat, of a stored event or of one earlier in `rows`, is not stored
    again and answers with the first one's row number. The caller commits.
    """
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        first.setdefault(_identity(row), row)
    distinct = list(first.values())
    new = {(row.trade_id, row.event_key): row.id for row in _insert(connection, _without_repeats(connection, distinct))}
    places: dict[tuple[str, str], Stored] = {}
    repeats = []
    for row in distinct:
        row_id = new.get((row["trade_id"], row["event_key"]))
        if row_id is None:
            repeats.append(row)
        else:
            places[_identity(row)] = Stored(row_id, duplicate=False)
    places.update(_find_firsts(connection, repeats))
    answers = []
    for row in rows:
        place = places[_identity(row)]
        repeated_here = first[_identity(row)] is not row
        answers.append(Stored(place.event_id, duplicate=place.duplicate or repeated_here))
    return answers


def _insert(connection: Connection, rows: Sequence[Row]) -> list[Any]:
    return list(QUERIES.signals.insert_events(connection, rows=jsontext.dump_rows(rows))) if rows else []


def _without_repeats(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """The rows without those that have no time of their own and came within the window of an equal one."""
    timeless = [row for row in rows if not row["has_own_time"]]
    if not timeless:
        return list(rows)
    claimed = QUERIES.signals.claim_window(
        connection,
        trade_ids=[row["trade_id"] for row in timeless],
        body_hashes=[row["body_hash"] for row in timeless],
        event_keys=[row["event_key"] for row in timeless],
        received_ats=[row["received_at"] for row in timeless],
    )
    theirs = {tuple(one) for one in claimed}
    return [row for row in rows if row["has_own_time"] or _identity(row) in theirs]


def _identity(row: Row) -> tuple[str, str]:
    return row["trade_id"], row["body_hash"]


def _find_firsts(connection: Connection, repeats: Sequence[Row]) -> dict[tuple[str, str], Stored]:
    if not repeats:
        return {}
    found = {_identity(row): Stored(None, duplicate=True) for row in repeats}
    for first in QUERIES.signals.select_first_events(
        connection,
        trade_ids=[row["trade_id"] for row in repeats],
        event_keys=[row["event_key"] for row in repeats],
        body_hashes=[row["body_hash"] for row in repeats],
    ):
        row = repeats[first.n - 1]
        # The very same delivery, written again after its first answer was lost, is not a repeat.
        itself = first.received_at == row["received_at"]
        found[_identity(row)] = Stored(first.id, duplicate=not itself)
    return found


def select_events_for_trade(pool: Pool, trade_id: str) -> list[SignalEvent]:
    """All events of one trade, in order of row number; empty when there is no such trade."""
    with pool.transaction() as connection:
        rows = QUERIES.signals.select_events_for_trades(connection, trade_ids=[trade_id])
        return patiently(to_event(row) for row in rows)


def select_events_of(pool: Pool, trade_id: str) -> list[SignalEvent]:
    """All events stored under an id, or, when it is a derived trade's, those of the stream that it comes from."""
    found = select_events_for_trade(pool, trade_id)
    stream = stream_of(trade_id)
    return found or (select_events_for_trade(pool, stream) if stream else [])


def insert_known_rows(connection: Connection, rows: Sequence[str]) -> int:
    """Store rows, each the JSON text of one, whose keys already tell them apart (an import). The caller commits.

    Returns how many were new.
    """
    return len(list(QUERIES.signals.insert_events(connection, rows=f"[{','.join(rows)}]")))


def select_recent_events(pool: Pool, *, since: datetime, limit: int) -> list[SignalEvent]:
    """The newest events received since then, newest first."""
    return pool.read(
        lambda connection: [
            to_event(row) for row in QUERIES.signals.select_recent_events(connection, since=since, limit=limit)
        ]
    )


def delete_old_window(pool: Pool, *, now: datetime) -> int:
    """Forget repeats-window rows that can no longer matter; returns how many."""
    with pool.transaction() as connection:
        gone: int = QUERIES.signals.delete_old_window(connection, before=now - 4 * REPEAT_WINDOW)
        return gone


def delete_trades(pool: Pool, trade_ids: Iterable[str]) -> None:
    """Remove whole trades for good: their events and all that was derived from them (`database.deletions` keeps
    what it takes out)."""
    ids: list[Any] = sorted(set(trade_ids))
    with pool.transaction(timeout=60) as connection:
        QUERIES.signals.delete_trades(connection, trade_ids=ids)
        deletions.forget(connection, ids)


def select_event(pool: Pool, event_id: int) -> SignalEvent | None:
    """One event by its number, or None."""
    with pool.transaction() as connection:
        row = QUERIES.signals.select_event(connection, event_id=event_id)
        return None if row is None else to_event(row)


def select_telemetry(
    pool: Pool,
    *,
    schema_version: str | None,
    contains: Mapping[str, Any] | None,
    before: tuple[datetime, int] | None,
    limit: int,
) -> list[SignalEvent]:
    """Events with telemetry, newest first, by schema version and by what their body contains (jsonb's @>)."""
    before_time, before_id = before or (None, None)
    asked = {
        "schema_version": schema_version,
        "contains": None if contains is None else jsontext.dump(contains),
        "before_time": before_time,
        "before_id": before_id,
        "limit": limit,
    }
    rows = pool.read(lambda connection: list(QUERIES.signals.select_telemetry(connection, **asked)), timeout=15)
    return [to_event(row) for row in rows]
