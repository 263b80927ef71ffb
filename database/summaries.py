"""Summaries of trades: disposable, folded from the events whenever something reads them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from database import extending, position_streams, totals
from database.aside import aside, patiently
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from database.rows import to_event
from database.summary_rows import Folded, folded
from state import jsontext, older_rows
from state.position import STREAM_PREFIX, trades_of
from state.statistics import Sample
from state.tally import Part, sample_of

LOOK_AT_ONCE = 1000
FOLD_AT_ONCE = 200
STREAMS_AT_ONCE = 4
ADOPT_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Listed:
    """A trade of a list: its place, and its text as the fold gave it (`Trade.as_dict`, as JSON)."""

    trade_time: datetime
    trade_id: str
    stream_id: str
    symbol: str | None
    realized_points: Decimal | None
    text: str

    @property
    def is_position(self) -> bool:
        """Whether the trade was derived from position alerts."""
        return self.stream_id.startswith(STREAM_PREFIX)

    @property
    def trade(self) -> dict[str, Any]:
        """The trade as `Trade.as_dict` gave it."""
        found: dict[str, Any] = jsontext.stored(self.text)
        return found


def refresh(pool: Pool, *, until: Callable[[], bool] = lambda: False) -> int:
    """Fold every stream that has new events, or stop between two batches when `until` says so; returns how many were
    folded.

    Two readers at once share the work: each takes streams that the other has not, and at the end waits for those
    that it has. Writers never wait.
    """
    done: set[str] = set()
    while not until():
        with pool.transaction(timeout=30) as connection:
            work = QUERIES.summaries.select_work(connection)
            if work.older:
                adopt_older_rows(connection)
            streams = _next_streams(connection, done) if work.older or work.dirty else []
            if not streams:
                if work.dirty or work.days:
                    totals.count_days(connection)
                break
            refresh_streams(connection, streams)
            done.update(streams)
    return len(done)


def _next_streams(connection: Connection, done: set[str]) -> list[str]:
    """The streams to fold next; none when all that were out of date are done."""
    rows = list(QUERIES.summaries.select_dirty(connection, limit=LOOK_AT_ONCE))
    # what became dirty again meanwhile is for the next reader: under constant writing this one would never end
    dirty = [row.trade_id for row in rows if row.trade_id not in done]
    if not dirty:
        all_seen = sum(row.marks for row in rows) < LOOK_AT_ONCE
        dirty = [] if all_seen else [row.trade_id for row in rows]
    if not dirty:
        return []
    free = [
        row.trade_id for row in QUERIES.summaries.lock_free_streams(connection, trade_ids=dirty, limit=FOLD_AT_ONCE)
    ]
    # a stream of position alerts may hold years of them: few at a time
    chosen = free or dirty[:FOLD_AT_ONCE]
    positions = [one for one in chosen if one.startswith(STREAM_PREFIX)]
    return sorted([one for one in chosen if not one.startswith(STREAM_PREFIX)] + positions[:STREAMS_AT_ONCE])


def refresh_streams(connection: Connection, streams: list[str], *, whole: bool = False) -> None:
    """Fold these streams again, within the caller's transaction; `whole` also what no mark calls out of date."""
    list(QUERIES.summaries.lock_streams(connection, trade_ids=streams))
    list(QUERIES.totals.lock_totals_shared(connection))
    marks = list(QUERIES.summaries.select_dirty_rows(connection, trade_ids=streams))
    touched = set(streams) if whole else {mark.trade_id for mark in marks}
    positions = sorted(stream for stream in touched if stream.startswith(STREAM_PREFIX))
    trades = sorted(touched.difference(positions))
    if trades:
        before = [Part(*row) for row in QUERIES.summaries.select_parts(connection, stream_ids=trades)]
        long = [] if whole else [part.trade_id for part in before if part.event_count >= extending.LONG]
        longer = {name: row for name in long if (row := extending.extend(connection, name)) is not None}
        others = [name for name in trades if name not in longer]
        rows = patiently(QUERIES.signals.select_events_for_trades(connection, trade_ids=others)) if others else []
        made = aside(lambda: _fold_all(rows, longer.values()))
        QUERIES.summaries.replace_summaries(connection, trade_ids=trades, rows=made.summaries)
        totals.record(connection, before, made.parts)
    for stream in positions:
        position_streams.refold(connection, stream, None if whole else position_streams.earliest(marks, stream))
    QUERIES.summaries.delete_dirty_rows(
        connection, trade_ids=[mark.trade_id for mark in marks], seqs=[mark.seq for mark in marks]
    )


def _fold_all(rows: list[Any], more: Iterable[dict[str, Any]]) -> Folded:
    """The summaries of whole trades' rows, and `more` that are made already."""
    trades = (
        (trade_id, trade)
        for trade_id, events in groupby(map(to_event, rows), key=lambda event: event.trade_id)
        for trade in trades_of(events)[0]
    )
    return folded(trades, more)


def refresh_trade(pool: Pool, trade_id: str, *, whole: bool) -> None:
    """Fold the events stored under one id again where it is out of date; `whole` also where no mark says so."""
    with pool.transaction(timeout=30) as connection:
        adopt_older_rows(connection)
        refresh_streams(connection, [trade_id], whole=whole)


def adopt_older_rows(connection: Connection) -> None:
    """Give rows that older code inserted beside us their lasting key and time, and mark them for fold and feed."""
    rows = [
        {"trade_id": row.trade_id, "id": row.id, **older_rows.time_of(row.whole)}
        for row in QUERIES.summaries.select_older_rows(connection, limit=ADOPT_AT_ONCE)
    ]
    if rows:
        list(QUERIES.summaries.adopt_older_rows(connection, rows=jsontext.dump(rows)))
        # their times are others now, so what was folded of them is nothing to go on from
        QUERIES.summaries.forget_folds(connection, trade_ids=sorted({row["trade_id"] for row in rows}))


def select_trades(
    pool: Pool, *, filters: Mapping[str, Any], before: tuple[datetime, str] | None, limit: int
) -> list[Listed]:
    """A page of trades, newest first."""
    refresh(pool)
    return pool.read(lambda connection: page_of_trades(connection, filters=filters, before=before, limit=limit))


def page_of_trades(
    connection: Connection, *, filters: Mapping[str, Any], before: tuple[datetime, str] | None, limit: int
) -> list[Listed]:
    """A page of trades, newest first, as their summaries stand."""
    before_time, before_id = before or (None, None)
    rows = QUERIES.summaries.select_trades(
        connection, **totals.chosen(filters), before_time=before_time, before_id=before_id, limit=limit
    )
    return [Listed(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Overview:
    """Trades at a glance: their tallies, the sample that they make, and pages of some of them."""

    tallies: list[dict[str, Any]]
    sample: Sample
    pages: list[list[Listed]]


def select_overview(
    pool: Pool, *, filters: Mapping[str, Any], pages: Sequence[Mapping[str, Any]] = (), limit: int = 0
) -> Overview:
    """The trades that pass, at a glance, with a page for each of `pages` (the filters of that page). Without any
    filter the sample's signals are all that are stored, those that belong to no trade too."""
    refresh(pool)

    def select(connection: Connection) -> Overview:
        tallies = totals.select_tallies(connection, filters)
        loose = 0 if totals.is_filtered(filters) else position_streams.count_loose(connection)
        return Overview(
            tallies,
            sample_of(tallies, totals.select_drawdown(connection, filters), loose),
            [page_of_trades(connection, filters=one, before=None, limit=limit) for one in pages],
        )

    return pool.read(select, timeout=30)


def select_gaps(pool: Pool, *, before: tuple[datetime, str] | None, limit: int) -> list[Any]:
    """A page of the breaks in continuity, newest first: rows with stream_id, gap_id, after_time, before_time,
    expected and found."""
    refresh(pool)
    before_time, before_id = before or (None, None)
    asked = {"before_time": before_time, "before_id": before_id, "limit": limit}
    return pool.read(lambda connection: list(QUERIES.summaries.select_gaps(connection, **asked)))


def select_calendar(
    pool: Pool, *, filters: Mapping[str, Any], before: tuple[datetime, str] | None, limit: int
) -> tuple[list[Any], list[Listed]]:
    """Sums by New York day of the trades that pass, oldest first, and a page of these trades, newest first."""
    refresh(pool)
    return pool.read(
        lambda connection: (
            list(QUERIES.summaries.select_days(connection, **totals.chosen(filters))),
            page_of_trades(connection, filters=filters, before=before, limit=limit),
        ),
        timeout=30,
    )


@dataclass(frozen=True, slots=True)
class Integrity:
    """The newest trades with what is odd about them, the ids that no alert may have, and how much there is of all."""

    newest: list[Any]
    ghosts: list[str]
    trades: int
    events: int


def select_integrity(pool: Pool, *, limit: int) -> Integrity:
    """What the integrity report tells, looking at the newest `limit` trades."""
    refresh(pool)

    def select(connection: Connection) -> Integrity:
        tallies = totals.select_tallies(connection, {})
        return Integrity(
            newest=list(QUERIES.summaries.select_integrity(connection, limit=limit)),
            ghosts=[row.trade_id for row in QUERIES.deletions.select_ghosts(connection)],
            trades=sum(tally["trades"] for tally in tallies),
            events=sum(tally["events"] for tally in tallies) + position_streams.count_loose(connection),
        )

    return pool.read(select, timeout=30)
