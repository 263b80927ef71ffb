"""The views that a snapshot is made from, in any PostgreSQL: refreshed, and read as of one moment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from psycopg2 import sql

from database import summaries
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from errors import QueryBug, TransactionConflict

_PART: Final = re.compile(r'"[^"]+"|[^".]+')
_CONFLICT_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Views:
    """The four views' names, each with its schema; a part in double quotes may hold dots."""

    kpis: str
    series: str
    extremes: str
    portfolio: str


#: The names that the statements are written with.
_WRITTEN: Final = Views(
    kpis="utils_statistics.trades_kpi_summary_mv",
    series="utils_statistics.trades_kpi_series_mv",
    extremes="utils_statistics.trades_contract_extremes_by_kpi_mv",
    portfolio="utils_statistics.trades_portfolio_assets_mv",
)


def is_alertbook(pool: Pool) -> bool:
    """Whether this is a database of ours, whose views nobody else refreshes."""
    with pool.transaction() as connection:
        return bool(QUERIES.snapshot_source.select_is_alertbook(connection))


def refresh(pool: Pool, views: Views) -> list[str]:
    """Refresh the materialized ones of the views from one moment; returns their names.

    In a database of ours the trades that changed are folded first. Raises DatabaseError, also for a view that is
    missing or has no unique index.
    """
    if is_alertbook(pool):
        summaries.refresh(pool)
    for left in reversed(range(_CONFLICT_ROUNDS)):
        try:
            return _refresh_all(pool, views)
        except TransactionConflict:
            if not left:
                raise
    raise AssertionError("unreachable")


def _refresh_all(pool: Pool, views: Views) -> list[str]:
    done = []
    with pool.transaction(timeout=240) as connection:
        QUERIES.snapshot_source.begin_at_one_moment(connection)
        for name in (views.kpis, views.series, views.extremes, views.portfolio):
            found = QUERIES.snapshot_source.select_view(connection, view=_quoted(connection, name))
            if found is None:
                raise QueryBug(f"there is no view {name}")
            if found.relkind == "m":
                query = "refresh_view" if found.relispopulated else "refresh_empty_view"
                _run(connection, query, _WRITTEN.kpis, name)
                done.append(name)
    return done


def read(pool: Pool, views: Views, day: date) -> Mapping[str, list[Any]]:
    """What the views say of a day, as of one moment: rows by "kpis", "series", "extremes" and "portfolio".

    Raises DatabaseError, also for a view or column that is missing.
    """
    rows: dict[str, list[Any]] = {}
    with pool.transaction(timeout=120) as connection:
        QUERIES.snapshot_source.begin_at_one_moment(connection)
        for part in ("kpis", "series", "extremes", "portfolio"):
            rows[part] = _run(
                connection, f"select_{part}", getattr(_WRITTEN, part), getattr(views, part), day=day.isoformat()
            )
    return rows


def _run(connection: Connection, query: str, written: str, name: str, **parameters: Any) -> list[Any]:
    """Run a query with a view's configured name, quoted as an identifier, in the place of the written one."""
    text = getattr(QUERIES.snapshot_source, query).sql
    with connection.cursor() as cursor:
        cursor.execute(text.replace(written, _quoted(connection, name).replace("%", "%%")), parameters)
        return list(cursor.fetchall()) if cursor.description else []


def _quoted(connection: Connection, name: str) -> str:
    parts = [part.strip('"') for part in _PART.findall(name)]
    return sql.Identifier(*parts).as_string(connection)
