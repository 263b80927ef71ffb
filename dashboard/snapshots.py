"""Daily snapshots: a day's KPIs, their points, extremes and the portfolio."""

from datetime import date, timedelta
from typing import Any, Final

import marshmallow as ma
from flask import Response
from marshmallow import fields

from dashboard.filters import arguments
from dashboard.pages import blueprint, page
from database import snapshots
from errors import NotFound
from handlers.fields import Text
from handlers.middleware.access import Role, access
from handlers.services import services
from state.snapshot import HI, LO

DAYS: Final = 200
MOST_POINTS: Final = 2000
MOST_EXTREMES: Final = 25
MOST_ASSETS: Final = 500


class SnapshotQuery(ma.Schema):
    """Which day, and which KPI."""

    date = fields.Date(load_default=None)
    kpi = Text(1, 200, load_default=None)


@blueprint.get("/snapshots")
@access(Role.READ)
def show_snapshots() -> Response:
    """The page: the asked day, else the latest."""
    query, pool = arguments(SnapshotQuery()), services().pool
    days = snapshots.select_days(pool, before=None, limit=DAYS)
    if not days:
        return page("snapshots.html", days=[], day=None)
    day = query["date"] or days[0].date
    kpis = [row for row in snapshots.select_kpis(pool, day) if row.kpi is not None]
    head = next(iter(snapshots.select_days(pool, before=day + timedelta(days=1), limit=1)), None)
    if head is None or head.date != day:
        raise NotFound(f"There is no snapshot of {day}.", code="SNAPSHOT_NOT_FOUND")
    assets = snapshots.select_assets(pool, day, symbol=None, limit=MOST_ASSETS)
    return page(
        "snapshots.html",
        days=days,
        day=day,
        head=head,
        kpis=kpis,
        assets=[row for row in assets if row.trade_id is not None],
        kpi=query["kpi"] or (kpis[0].kpi if kpis else None),
        **_of_kpi(day, query["kpi"] or (kpis[0].kpi if kpis else None)),
    )


def _of_kpi(day: date, kpi: str | None) -> dict[str, Any]:
    if kpi is None:
        return {"points": [], "highest": [], "lowest": []}
    pool = services().pool
    points = snapshots.select_points(pool, day, kpi=kpi, since=None, until=None, limit=MOST_POINTS)

    def side(name: str) -> list[Any]:
        rows = snapshots.select_extremes(pool, day, kpi=kpi, side=name, limit=MOST_EXTREMES)
        return [row for row in rows if row.rank is not None]

    return {"points": [row for row in points if row.t is not None], "highest": side(HI), "lowest": side(LO)}
