"""Streams of position alerts: folded again from no further back than the alerts reach that came since.

A fold leaves checkpoints in the stream; the insert says from which time on it is out of date. Both are disposable:
without them the whole stream is folded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from database import totals
from database.aside import aside, patiently
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.rows import to_event
from database.summary_rows import Folded, folded, gap_rows
from state import jsontext
from state.continuity import Holding
from state.event import SignalEvent
from state.position import Checkpoint, fold_stream, opened_at, stream_of, trades_of
from state.tally import Part
from state.vocabulary import POSITION


def earliest(marks: Sequence[Any], stream_id: str) -> datetime | None:
    """From when on a stream is out of date by its marks; None when one of them does not say."""
    since = [mark.since for mark in marks if mark.trade_id == stream_id]
    return min(since) if since and None not in since else None


def refold(connection: Connection, stream_id: str, since: datetime | None) -> None:
    """Fold a stream from its last checkpoint before `since`, or whole, and put what comes of it in its place."""
    start = None if since is None else _checkpoint(connection, stream_id, before=since, at=None)
    at = None if start is None else start.at
    rows = patiently(QUERIES.position_streams.select_events(connection, stream_id=stream_id, since=at, until=None))
    made = aside(lambda: _fold(stream_id, rows, start))
    before = [
        Part(*row) for row in QUERIES.position_streams.delete_summaries(connection, stream_id=stream_id, since=at)
    ]
    QUERIES.position_streams.delete_gaps(connection, stream_id=stream_id, since=at)
    QUERIES.position_streams.delete_checkpoints(connection, stream_id=stream_id, since=at)
    QUERIES.summaries.replace_summaries(connection, trade_ids=[], rows=made.trades.summaries)
    totals.record(connection, before, made.trades.parts)
    if made.gaps:
        QUERIES.summaries.insert_gaps(connection, rows=made.gaps)
    if made.checkpoints:
        QUERIES.position_streams.insert_checkpoints(connection, rows=made.checkpoints)
    if start is None:
        QUERIES.position_streams.save_stream(connection, stream_id=stream_id, loose_events=made.loose)


@dataclass(frozen=True, slots=True)
class _Folded:
    """A fold; gaps and checkpoints as JSON ready to be stored, "" for what there is none of."""

    trades: Folded
    gaps: str
    checkpoints: str
    loose: int


def _fold(stream_id: str, rows: list[Any], start: Checkpoint | None) -> _Folded:
    events = [to_event(row) for row in rows]
    if any(event.event_type != POSITION for event in events):
        # something else was imported under a stream's id: it makes a trade of its own, and there is no shorter way
        trades, breaks = trades_of(events)
        return _Folded(
            folded((stream_id, trade) for trade in trades), _json(gap_rows(breaks)), "", fold_stream(events).loose
        )
    found = fold_stream(events, start)
    checkpoints = _json([_checkpoint_row(stream_id, one) for one in found.checkpoints])
    made = folded((stream_id, trade) for trade in found.trades)
    return _Folded(made, _json(gap_rows(found.gaps)), checkpoints, found.loose)


def _json(rows: list[dict[str, Any]]) -> str:
    return jsontext.dump(rows) if rows else ""


def _checkpoint_row(stream_id: str, one: Checkpoint) -> dict[str, Any]:
    return {"stream_id": stream_id, "begins_at": one.at, "side": one.held.side, "size": one.held.size}


def _checkpoint(
    connection: Connection, stream_id: str, *, before: datetime | None, at: datetime | None
) -> Checkpoint | None:
    """The last checkpoint before one time and not after another, or None."""
    row = QUERIES.position_streams.select_checkpoint(connection, stream_id=stream_id, before=before, upto=at)
    return None if row is None else Checkpoint(row.begins_at.astimezone(UTC), Holding(row.side, row.size))


def select_events_of(pool: Pool, trade_id: str) -> tuple[list[SignalEvent], Checkpoint | None]:
    """The events that make a derived trade, or a stream's newest one, and the checkpoint that they go on from.

    Of a long stream these are few; of one without checkpoints all. Empty when there is no such stream.
    """
    stream = stream_of(trade_id) or trade_id
    at = opened_at(trade_id) if stream != trade_id else None
    with pool.transaction(timeout=30) as connection:
        marks = list(QUERIES.summaries.select_dirty_rows(connection, trade_ids=[stream]))
        since = earliest(marks, stream)
        start, until = None, None
        if since is not None or not marks:
            start = _checkpoint(connection, stream, before=since, at=at)
            if at is not None:
                until = QUERIES.position_streams.select_next(connection, stream_id=stream, after=at, before=since)
        rows = QUERIES.position_streams.select_events(
            connection, stream_id=stream, since=None if start is None else start.at, until=until
        )
        return patiently(to_event(row) for row in rows), start


def count_loose(connection: Connection) -> int:
    """How many position alerts belong to no trade, because they came before their stream's first one."""
    found: int = QUERIES.position_streams.count_loose(connection)
    return found
