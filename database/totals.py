"""Totals over all trades, kept beside their summaries: disposable, changed by the same fold, counted anew at will.

Each fold appends what it changed; a reader adds up. What the largest fall of cumulative R needs is kept by the UTC
day of the exit, and by its month: a fold marks the days whose results it changed, and a reader counts those again.
Older code that runs beside us changes summaries without a word here. So a new process counts everything anew, and
once more when the older one has surely ended (`database.folding`).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final

from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from state import jsontext
from state.tally import KEY, Part, change, changed_days

#: So many parts are put together into one row for each key.
PARTS: Final = 1_000
FILTERS: Final = ("status", "direction", "session", "symbol", "strategy", "since", "until")


def record(connection: Connection, before: Collection[Part], after: Collection[Part]) -> None:
    """Note that the trades of `before` became those of `after`, in the transaction that changes their summaries."""
    tallies = change(before, after)
    if tallies:
        QUERIES.totals.insert_tallies(connection, rows=jsontext.dump(tallies))
    days = changed_days(before, after)
    if days:
        QUERIES.totals.mark_days(connection, days=sorted(days))


def select_tallies(connection: Connection, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tallies of the trades that pass the filters, one of each key; without a filter from what is kept."""
    if is_filtered(filters):
        return _count(connection, filters)
    return [row._asdict() for row in QUERIES.totals.select_tallies(connection)]


def select_drawdown(connection: Connection, filters: Mapping[str, Any]) -> Any:
    """The largest fall of cumulative R of the decided trades that pass, in R; any value when there are none."""
    if is_filtered(filters):
        return QUERIES.totals.select_drawdown(connection, **chosen(filters))
    return QUERIES.totals.select_drawdown_of_months(connection)


def chosen(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The filters by all their names."""
    return {name: filters.get(name) for name in FILTERS}


def is_filtered(filters: Mapping[str, Any]) -> bool:
    """Whether any filter is set."""
    return any(value is not None for value in chosen(filters).values())


def _count(connection: Connection, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [row._asdict() for row in QUERIES.totals.select_tallies_of(connection, **chosen(filters))]


def count_days(connection: Connection) -> None:
    """Count the days again whose results changed."""
    while list(QUERIES.totals.select_dirty_days(connection)):
        list(QUERIES.totals.lock_days(connection))
        marks = list(QUERIES.totals.select_dirty_days(connection))
        days = [mark.day for mark in marks]
        counted = [row._asdict() for row in QUERIES.totals.count_days(connection, days=days)]
        QUERIES.totals.delete_days(connection, days=days)
        if counted:
            QUERIES.totals.insert_days(connection, rows=jsontext.dump(counted))
        count_months(connection, days)
        QUERIES.totals.delete_dirty_days(connection, days=days, seqs=[mark.seq for mark in marks])


def count_months(connection: Connection, days: Sequence[date]) -> None:
    """Put the days of these days' months together again."""
    QUERIES.totals.delete_months(connection, days=days)
    QUERIES.totals.insert_months(connection, days=days)


def compact(pool: Pool) -> None:
    """Put the parts of the totals together when there are many."""
    with pool.transaction(timeout=30) as connection:
        if QUERIES.totals.count_parts(connection) > PARTS:
            QUERIES.totals.compact_tallies(connection)


def recount(pool: Pool, *, only_one: bool = False) -> bool:
    """Count everything anew from the summaries; returns whether the totals were right.

    With `only_one` it leaves that to another process that is at it, and returns True.
    """
    with pool.transaction(timeout=300) as connection:
        if only_one and not QUERIES.totals.try_lock_recount(connection):
            return True
        list(QUERIES.totals.lock_totals(connection))
        kept = select_tallies(connection, {})
        told = _count(connection, {})
        count_days(connection)
        stretch = select_drawdown(connection, {})
        QUERIES.totals.mark_days(connection, days=[row.day for row in QUERIES.totals.select_days_of_trades(connection)])
        QUERIES.totals.mark_counted_days(connection)
        count_days(connection)
        right = _by_key(kept) == _by_key(told) and stretch == select_drawdown(connection, {})
        if not right:
            QUERIES.totals.delete_tallies(connection)
            QUERIES.totals.insert_tallies(connection, rows=jsontext.dump(told))
        return bool(right)


def _by_key(tallies: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(tally[name] for name in KEY): tally for tally in tallies}
