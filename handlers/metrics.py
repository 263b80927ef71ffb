"""Daily snapshots read back: the archive, and what is derived from it."""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NoReturn

import marshmallow as ma
from flask import Response, request

from database import health, snapshots
from errors import NotFound
from handlers.blueprint import Blueprint
from handlers.fields import Text
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.queries import Instant
from handlers.services import services
from settings import VERSION
from state import jsontext
from state.snapshot import EXTREME_NUMBERS, HI, SIDES, TradeRef, as_sent, stamp, zulu
from state.snapshot_values import MAX_NAME, read_day

blueprint = Blueprint("metrics", __name__, description="Daily snapshots: KPIs, series, extremes, portfolio.")

_NEXT_MOMENT: Final = timedelta(microseconds=1)


class Day(ma.fields.Field[date]):
    """A calendar date, written as 2026-02-11."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> date:
        day = read_day(value)
        if day is None:
            raise ma.ValidationError("must be a calendar date such as 2026-02-11")
        return day


class Until(Instant):
    """The last instant that still belongs: a date stands for the whole of that New York day."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        instant = super()._deserialize(value, attr, data, **kwargs)
        return instant - _NEXT_MOMENT if read_day(str(value).strip()) else instant


class Place(ma.fields.Field[str]):
    """The opaque place in a list where the page before ended."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            text = base64.b64decode(str(value), altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            text = ""
        place = self._read(text)
        if place is None:
            raise ma.ValidationError("not a cursor of this list: take next_cursor as it was answered")
        return place

    def _read(self, text: str) -> Any:
        return read_day(text)


class VersionPlace(Place):
    """A place in a list of versions."""

    def _read(self, text: str) -> Any:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def _cursor(place: object) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).decode()


def _limit(default: int, most: int) -> Any:
    return ma.fields.Integer(load_default=default, validate=ma.validate.Range(1, most))


def _kpi() -> Any:
    return Text(1, MAX_NAME, required=True)


class DayQuery(ma.Schema):
    """Which date; the latest by default."""

    date = Day(load_default=None)


class SeriesQuery(DayQuery):
    """A KPI's points of a date, `from` and `to` inclusive."""

    kpi = _kpi()
    since = Instant(data_key="from", load_default=None)
    until = Until(data_key="to", load_default=None, end_of_day=True)
    limit = _limit(500, 2000)


class ExtremesQuery(DayQuery):
    """One side of a KPI's extremes."""

    kpi = _kpi()
    side = ma.fields.String(load_default=HI, validate=ma.validate.OneOf(SIDES))
    limit = _limit(10, 50)


class AssetsQuery(DayQuery):
    """The portfolio, or one symbol's part of it."""

    symbol = Text(1, MAX_NAME, load_default=None)
    limit = _limit(200, 2000)


class ArchiveDatesQuery(ma.Schema):
    """A page of archived dates."""

    limit = _limit(50, 100)
    cursor = Place(load_default=None)


class DatesQuery(ma.Schema):
    """A page of dates."""

    limit = _limit(50, 200)
    cursor = Place(load_default=None)


class HistoryQuery(ma.Schema):
    """The replaced versions of a date, or one of them whole."""

    date = Day(required=True)
    version = ma.fields.Integer(load_default=None, validate=ma.validate.Range(1, 10**15))
    limit = _limit(50, 200)
    cursor = VersionPlace(load_default=None)


class TrendQuery(ma.Schema):
    """One KPI over days, `from` and `to` inclusive."""

    kpi = _kpi()
    since = Day(data_key="from", load_default=None)
    until = Day(data_key="to", load_default=None)
    limit = _limit(400, 2000)


@blueprint.get("/v1/health")
@access(Role.PUBLIC, Execution.OBSERVE_ONLY)
def show_health() -> Response:
    """Whether snapshots can be stored and read: 503 and `"ok": false` while the database is away."""
    up = health.database_state(services().pool)["database"] == "up"
    body = {"ok": up, "time": zulu(datetime.now(UTC), timespec="milliseconds"), "version": VERSION}
    return answer(body, 200 if up else 503, {} if up else {"Retry-After": "5"})


@blueprint.get("/v1/trades/latest")
@blueprint.get("/v1/metrics/daily", endpoint="show_daily")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(DayQuery, location="query")
def show_latest(query: dict[str, Any]) -> Response:
    """The whole snapshot of a date, or the latest. Its ETag answers 304 to If-None-Match while nothing changed."""
    known = request.if_none_match.as_set(include_weak=True)
    row = snapshots.select_archive(services().pool, query["date"], known=[tag for tag in known if "\x00" not in tag])
    if row is None:
        _no_snapshot(query["date"])
    headers = {"ETag": f'"{row.digest}"', "Cache-Control": "private, no-cache"}
    if row.rows_json is None:
        return Response(status=304, headers=headers)
    return answer(_archive(row), headers=headers)


@blueprint.get("/v1/trades/dates")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(ArchiveDatesQuery, location="query")
def list_archive(query: dict[str, Any]) -> Response:
    """Stored dates, newest first, each with the address of its snapshot."""
    days, more = _page(query)
    items = [
        {
            "date": row.date,
            "updated_at": stamp(row.updated_at),
            "headline": row.headline,
            "json": f"/v1/trades/latest?date={row.date}",
        }
        for row in days
    ]
    return answer({"items": items, "next_cursor": more})


@blueprint.get("/v1/metrics/dates")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(DatesQuery, location="query")
def list_dates(query: dict[str, Any]) -> Response:
    """Stored dates, newest first."""
    days, more = _page(query)
    return answer({"items": [{"date": row.date} for row in days], "next_cursor": more})


@blueprint.get("/v1/metrics/kpis")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(DayQuery, location="query")
def list_kpis(query: dict[str, Any]) -> Response:
    """A date's KPIs in the order in which they were sent.

    `value_num` is what the text says, null for words: percent in percent points, duration in seconds.
    """
    rows = snapshots.select_kpis(services().pool, query["date"]) or _no_snapshot(query["date"])
    names = ("kpi", "value_text", "value_num", "value_kind", "sort_order")
    items = [{name: getattr(row, name) for name in names} for row in rows if row.kpi is not None]
    return answer({"date": rows[0].date, "items": items})


@blueprint.get("/v1/metrics/series")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(SeriesQuery, location="query")
def list_points(query: dict[str, Any]) -> Response:
    """A KPI's points of a date in order of time: the first `limit` from `from` on."""
    day, kpi = query.pop("date"), query["kpi"]
    rows = snapshots.select_points(services().pool, day, **query) or _no_snapshot(day)
    if not rows[0].is_known:
        _no_kpi(kpi, rows[0].date)
    points = [{"t": zulu(row.t), "v": row.v, "src": row.src} for row in rows if row.t is not None]
    return answer({"date": rows[0].date, "kpi": kpi, "points": points})


@blueprint.get("/v1/metrics/extremes")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(ExtremesQuery, location="query")
def list_extremes(query: dict[str, Any]) -> Response:
    """A KPI's highest or lowest items of a date by rank; `item` is everything that was sent about each."""
    day, kpi = query.pop("date"), query["kpi"]
    rows = snapshots.select_extremes(services().pool, day, **query) or _no_snapshot(day)
    if not rows[0].is_known:
        _no_kpi(kpi, rows[0].date)
    items = [_extreme(row) for row in rows if row.rank is not None]
    return answer({"date": rows[0].date, "kpi": kpi, "side": query["side"], "items": items})


@blueprint.get("/v1/metrics/portfolio-assets")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(AssetsQuery, location="query")
def list_assets(query: dict[str, Any]) -> Response:
    """A date's portfolio in the order in which it was sent."""
    day = query.pop("date")
    rows = snapshots.select_assets(services().pool, day, **query) or _no_snapshot(day)
    items = [_trade(row) for row in rows if row.trade_id is not None]
    return answer({"date": rows[0].date, "symbol": query["symbol"], "items": items})


@blueprint.get("/v1/metrics/history")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(HistoryQuery, location="query")
def list_history(query: dict[str, Any]) -> Response:
    """The versions of a date that were replaced, newest first; with `version`, that one whole."""
    day, version = query["date"], query["version"]
    if version is not None:
        row = snapshots.select_version(services().pool, day, version)
        if row is None:
            raise NotFound(f"There is no replaced version {version} of {day}.", code="NO_VERSION")
        return answer({"version": row.version, "replaced_at": row.replaced_at, **_archive(row)})
    limit = query["limit"]
    rows = snapshots.select_versions(services().pool, day, before=query["cursor"], limit=limit + 1)
    if not rows:
        _no_snapshot(day)
    kept = [row for row in rows if row.version is not None]
    more = _cursor(kept[limit - 1].version) if len(kept) > limit else None
    return answer({"date": day, "items": [_version(row) for row in kept[:limit]], "next_cursor": more})


@blueprint.get("/v1/metrics/kpi-trend")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(TrendQuery, location="query")
def show_trend(query: dict[str, Any]) -> Response:
    """One KPI over the stored days, oldest first: the newest `limit` of those from `from` to `to`."""
    rows = snapshots.select_trend(services().pool, **query)
    if not rows:
        raise NotFound(f"No stored day tells the KPI {query['kpi']!r} there.", code="NO_SNAPSHOT")
    names = ("date", "value_text", "value_num", "value_kind")
    return answer({"kpi": query["kpi"], "items": [{name: getattr(row, name) for name in names} for row in rows]})


def _no_snapshot(day: date | None) -> NoReturn:
    said = "No snapshot is stored yet." if day is None else f"No snapshot of {day} is stored."
    raise NotFound(said, code="NO_SNAPSHOT")


def _no_kpi(kpi: str, day: date) -> NoReturn:
    raise NotFound(f"The snapshot of {day} has no KPI {kpi!r}.", code="NO_KPI")


def _page(query: Mapping[str, Any]) -> tuple[list[Any], str | None]:
    limit = query["limit"]
    days = snapshots.select_days(services().pool, before=query["cursor"], limit=limit + 1)
    return days[:limit], _cursor(days[limit - 1].date) if len(days) > limit else None


def _archive(row: Any) -> dict[str, Any]:
    """The stored texts go out as they are, without being read."""
    return {
        "date": row.date,
        "updated_at": stamp(row.updated_at),
        "headline": row.headline,
        "summary": row.summary,
        "rows": jsontext.raw(row.rows_json),
        "overlay": jsontext.raw(row.overlay_json),
    }


def _trade(row: Any) -> dict[str, Any]:
    trade = TradeRef(row.trade_id, row.trade_id_is_number, row.symbol, row.contract_name)
    return {"trade_id": as_sent(trade), "symbol": row.symbol, "contract_name": row.contract_name}


def _extreme(row: Any) -> dict[str, Any]:
    numbers = {name: getattr(row, name) for name in EXTREME_NUMBERS}
    mid_ts = zulu(row.mid_ts) if row.mid_ts else None
    return {"rank": row.rank, **_trade(row), **numbers, "mid_ts": mid_ts, "item": jsontext.raw(row.item_json)}


def _version(row: Any) -> dict[str, Any]:
    counts = {name: getattr(row, name) for name in ("kpis", "series_points", "extremes", "portfolio_assets")}
    return {
        "version": row.version,
        "updated_at": stamp(row.updated_at),
        "headline": row.headline,
        "source": row.source,
        "stored_at": row.stored_at,
        "replaced_at": row.replaced_at,
        "counts": counts,
    }
