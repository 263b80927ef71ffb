"""Daily snapshots: stored whole in one transaction, read back part by part."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from database.arrays import array, text_array
from database.driver import Connection
from database.pool import Pool
from database.queries import QUERIES
from state import jsontext
from state.snapshot import EXTREME_NUMBERS, Extreme, Head, Number, Point, Snapshot, Verdict, judge, stamp


@dataclass(frozen=True, slots=True)
class Prepared:
    """A snapshot as the statements take it: text and arrays, ready to send. `archive` is the archive row."""

    day: date
    updated_at: datetime
    is_empty: bool
    allow_empty: bool
    digest: str
    archive: dict[str, Any]
    kpis: str
    points: dict[str, str]
    extremes: str
    assets: str


def prepare(snapshot: Snapshot) -> Prepared:
    """The snapshot written out for the database; computes only, so it can be done away from the event loop."""
    values = [_digits(point.v) for point in snapshot.points]
    rows, overlay = jsontext.dump(snapshot.rows()), jsontext.dump(snapshot.overlay(_series(snapshot.points, values)))
    told = (snapshot.date.isoformat(), stamp(snapshot.updated_at), snapshot.headline, snapshot.summary, snapshot.source)
    digest = hashlib.sha256("\0".join((*told, rows, overlay)).encode()).hexdigest()
    return Prepared(
        day=snapshot.date,
        updated_at=snapshot.updated_at,
        is_empty=not any(snapshot.counts),
        allow_empty=snapshot.allow_empty,
        digest=digest,
        archive={
            "headline": snapshot.headline,
            "summary": snapshot.summary,
            "source": snapshot.source,
            "rows": rows,
            "overlay": overlay,
            "counts": list(snapshot.counts),
        },
        kpis=jsontext.dump([row._asdict() for row in snapshot.kpis]),
        points={
            "kpis": text_array(point.kpi for point in snapshot.points),
            "times": array(point.t for point in snapshot.points),
            "vals": array(values),
            "sources": text_array(point.src for point in snapshot.points),
        },
        extremes=jsontext.dump([_extreme(extreme) for extreme in snapshot.extremes]),
        assets=jsontext.dump(
            [
                {
                    "trade_id": trade.trade_id,
                    "contract_name": trade.contract_name or "",
                    "trade_id_is_number": trade.is_number,
                    "symbol": trade.symbol,
                    "sort_order": order,
                }
                for order, trade in enumerate(snapshot.assets, start=1)
            ]
        ),
    )


def _series(points: Sequence[Point], values: Sequence[str]) -> dict[str, Any]:
    """The archive's series by KPI, written point by point: times and numbers need no quoting, sources repeat."""
    sources: dict[str | None, str] = {None: ""}
    texts: dict[str, list[str]] = {}
    for (kpi, t, _, src), value in zip(points, values, strict=True):
        source = sources.get(src)
        if source is None:
            source = sources[src] = f',"src":{jsontext.dump(src)}'
        texts.setdefault(kpi, []).append(f'{{"t":"{t}","v":{value}{source}}}')
    return {kpi: jsontext.raw(f"[{','.join(told)}]") for kpi, told in texts.items()}


def _digits(value: Number) -> str:
    return jsontext.plain(value) if isinstance(value, Decimal) else str(value)


def _extreme(extreme: Extreme) -> dict[str, Any]:
    return {
        "kpi": extreme.kpi,
        "side": extreme.side,
        "rank": extreme.rank,
        "position": extreme.position,
        "trade_id": extreme.trade.trade_id,
        "trade_id_is_number": extreme.trade.is_number,
        "symbol": extreme.trade.symbol,
        "contract_name": extreme.trade.contract_name,
        **dict(zip(EXTREME_NUMBERS, extreme.numbers, strict=True)),
        "mid_ts": extreme.mid_ts,
        "item_json": extreme.item,
    }


def store(pool: Pool, prepared: Prepared, *, timeout: float = 15.0) -> Verdict:
    """Put a snapshot in the place of its date's, whole or not at all, when it may go there; says what became of it.

    Posts of one date take turns; the version replaced is kept. Raises DatabaseError; the same call may then be
    made again, because a snapshot that is stored already is recognised.
    """
    with pool.transaction(timeout=timeout) as connection:
        QUERIES.snapshots.lock_day(connection, day=prepared.day)
        row = QUERIES.snapshots.select_head(connection, day=prepared.day)
        head = Head(row.version, row.updated_at, row.is_empty, row.digest) if row else None
        verdict = judge(
            head,
            updated_at=prepared.updated_at,
            is_empty=prepared.is_empty,
            digest=prepared.digest,
            allow_empty=prepared.allow_empty,
        )
        if verdict is Verdict.STORE:
            _replace(connection, prepared, head)
    return verdict


def _replace(connection: Connection, prepared: Prepared, head: Head | None) -> None:
    day = prepared.day
    if head is not None:
        QUERIES.snapshots.keep_version(connection, day=day)
        QUERIES.snapshots.delete_derived(connection, day=day)
    QUERIES.snapshots.replace_archive(
        connection,
        day=day,
        version=head.version + 1 if head else 1,
        updated_at=prepared.updated_at,
        digest=prepared.digest,
        **prepared.archive,
    )
    QUERIES.snapshots.insert_kpis(connection, day=day, rows=prepared.kpis)
    QUERIES.snapshots.insert_points(connection, day=day, **prepared.points)
    QUERIES.snapshots.insert_extremes(connection, day=day, rows=prepared.extremes)
    QUERIES.snapshots.insert_assets(connection, day=day, rows=prepared.assets)


def select_archive(pool: Pool, day: date | None, *, known: Sequence[str] = ()) -> Any:
    """A date's archive row, or the latest's (`day` None), or None; without its bulk when `known` holds its digest."""
    return pool.read(lambda connection: QUERIES.snapshots.select_archive(connection, day=day, known=list(known)))


def select_days(pool: Pool, *, before: date | None, limit: int) -> list[Any]:
    """Stored dates before a date, newest first."""
    return _rows(pool, QUERIES.snapshots.select_days, before=before, limit=limit)


def select_kpis(pool: Pool, day: date | None) -> list[Any]:
    """A date's KPIs as sent; [] without a snapshot, one row without `kpi` for a snapshot without KPIs."""
    return _rows(pool, QUERIES.snapshots.select_kpis, day=day)


def select_points(
    pool: Pool, day: date | None, *, kpi: str, since: datetime | None, until: datetime | None, limit: int
) -> list[Any]:
    """A KPI's points of a date by time, both ends inclusive; [] without a snapshot, one row without `t` for none."""
    return _rows(pool, QUERIES.snapshots.select_points, day=day, kpi=kpi, since=since, until=until, limit=limit)


def select_extremes(pool: Pool, day: date | None, *, kpi: str, side: str, limit: int) -> list[Any]:
    """One side of a KPI's extremes by rank; [] without a snapshot, one row without `rank` for none."""
    return _rows(pool, QUERIES.snapshots.select_extremes, day=day, kpi=kpi, side=side, limit=limit)


def select_assets(pool: Pool, day: date | None, *, symbol: str | None, limit: int) -> list[Any]:
    """A date's portfolio as sent; [] without a snapshot, one row without `trade_id` for none."""
    return _rows(pool, QUERIES.snapshots.select_assets, day=day, symbol=symbol, limit=limit)


def select_versions(pool: Pool, day: date, *, before: int | None, limit: int) -> list[Any]:
    """Replaced versions of a date, newest first; [] without a snapshot, one row without `version` for none."""
    return _rows(pool, QUERIES.snapshots.select_versions, day=day, before=before, limit=limit)


def select_version(pool: Pool, day: date, version: int) -> Any:
    """One replaced version, whole, or None."""
    return pool.read(lambda connection: QUERIES.snapshots.select_version(connection, day=day, version=version))


def select_trend(pool: Pool, *, kpi: str, since: date | None, until: date | None, limit: int) -> list[Any]:
    """One KPI over days, oldest first: the newest `limit` of those that fit."""
    return _rows(pool, QUERIES.snapshots.select_trend, kpi=kpi, since=since, until=until, limit=limit)


def _rows(pool: Pool, query: Any, **parameters: Any) -> list[Any]:
    return pool.read(lambda connection: list(query(connection, **parameters)))
