"""Storing and reading the events of trades."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.rows import from_event, to_event
from state import jsontext
from state.event import SignalEvent

#: Timeless alerts with the same body count as one within this time.
REPEAT_WINDOW = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Stored:
    """Where an event is: its row number, and whether an earlier alert had put it there."""

    event_id: int | None
    duplicate: bool


def insert_events(connection: Connection, events: Sequence[SignalEvent]) -> list[Stored]:
    """Store events in one statement and say, in their order, where each is.

    A repeat, of a stored event or of one earlier in `events`, is not stored again and answers with the
    first one's row number. The caller commits.
    """
    first: dict[tuple[str, str], SignalEvent] = {}
    for event in events:
        first.setdefault((event.trade_id, event.body_hash), event)
    ordered = sorted(first.values(), key=lambda event: (event.trade_id, event.event_key))
    rows = jsontext.dump([from_event(event) for event in ordered])
    new = {(row.trade_id, row.event_key): row.id for row in QUERIES.signals.insert_events(connection, rows=rows)}
    places: dict[tuple[str, str], Stored] = {}
    repeats = []
    for event in ordered:
        row_id = new.get((event.trade_id, event.event_key))
        if row_id is None:
            repeats.append(event)
        else:
            places[event.trade_id, event.body_hash] = Stored(row_id, duplicate=False)
    places.update(_find_firsts(connection, repeats))
    answers = []
    for event in events:
        place = places[event.trade_id, event.body_hash]
        repeated_here = first[event.trade_id, event.body_hash] is not event
        answers.append(Stored(place.event_id, duplicate=place.duplicate or repeated_here))
    return answers


def _find_firsts(connection: Connection, repeats: Sequence[SignalEvent]) -> dict[tuple[str, str], Stored]:
    if not repeats:
        return {}
    found = {(event.trade_id, event.body_hash): Stored(None, duplicate=True) for event in repeats}
    for row in QUERIES.signals.select_first_events(
        connection,
        trade_ids=[event.trade_id for event in repeats],
        event_keys=[event.event_key for event in repeats],
        body_hashes=[event.body_hash for event in repeats],
    ):
        event = repeats[row.n - 1]
        # The very same delivery, written again after its first answer was lost, is not a repeat.
        itself = row.received_at == event.received_at
        found[event.trade_id, event.body_hash] = Stored(row.id, duplicate=not itself)
    return found


def select_events_for_trade(pool: Pool, trade_id: str) -> list[SignalEvent]:
    """All events of one trade, in order of row number; empty when there is no such trade."""
    with pool.transaction() as connection:
        return [to_event(row) for row in QUERIES.signals.select_events_for_trades(connection, trade_ids=[trade_id])]


def select_recent_events(pool: Pool, *, since: datetime, limit: int) -> list[SignalEvent]:
    """The newest events received since then, newest first."""
    with pool.transaction() as connection:
        return [to_event(row) for row in QUERIES.signals.select_recent_events(connection, since=since, limit=limit)]


def delete_old_window(pool: Pool, *, now: datetime) -> int:
    """Forget repeats-window rows that can no longer matter; returns how many."""
    with pool.transaction() as connection:
        gone: int = QUERIES.signals.delete_old_window(connection, before=now - 4 * REPEAT_WINDOW)
        return gone


def delete_trades(pool: Pool, trade_ids: Iterable[str]) -> None:
    """Remove whole trades: their events and all that was derived from them."""
    ids: list[Any] = sorted(set(trade_ids))
    with pool.transaction(timeout=60) as connection:
        QUERIES.signals.delete_trades(connection, trade_ids=ids)
