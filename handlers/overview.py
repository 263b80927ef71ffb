"""Trades at a glance: the dashboard's data, the calendar, what is wrong with the evidence, and what never came."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import marshmallow as ma
from flask import Response

from database import summaries
from handlers.blueprint import Blueprint
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.money import as_listed
from handlers.queries import Cursor, Direction, Instant, PageQuery, Session, Statuses, TradeFilters, cursor
from handlers.services import services
from handlers.trades import page_cursor
from state import jsontext
from state.newyork import trading_date
from state.statistics import mean_of, measured
from state.tally import group

blueprint = Blueprint("overview", __name__, description="Trades at a glance.")

LISTED: Final = 100
NO_STORE: Final = {"Cache-Control": "no-store"}


@blueprint.get("/api/automated-signals/dashboard-data")
@access(Role.READ)
@blueprint.arguments(TradeFilters, location="query")
def show_dashboard_data(query: dict[str, Any]) -> Response:
    """The newest 100 active and 100 completed trades, the statistics, and trades by hour (New York) and session."""
    pages = [_page(query, ["ACTIVE", "BE_PROTECTED"]), _page(query, ["COMPLETED"])]
    found = summaries.select_overview(services().pool, filters=query, pages=pages, limit=LISTED)
    active, completed = found.pages
    return answer(
        {
            "success": True,
            "active_trades": jsontext.written_list(as_listed(trade) for trade in active),
            "completed_trades": jsontext.written_list(as_listed(trade) for trade in completed),
            "stats": measured(found.sample),
            "hourly_distribution": {str(hour): tally["trades"] for hour, tally in group(found.tallies, "hour").items()},
            "session_breakdown": {
                session or "UNKNOWN": {
                    "count": tally["trades"],
                    "avg_mfe": mean_of(tally["mfe_sum"], tally["mfe_n"]),
                    "avg_r": mean_of(tally["r_sum"], tally["r_n"]),
                }
                for session, tally in group(found.tallies, "session").items()
            },
            "timestamp": datetime.now(UTC),
        },
        headers=NO_STORE,
    )


def _page(filters: dict[str, Any], statuses: list[str]) -> dict[str, Any]:
    """The filters of a list of those among the statuses that are asked for."""
    wanted = statuses if filters["status"] is None else [one for one in statuses if one in filters["status"]]
    return {**filters, "status": wanted}


class HubQuery(ma.Schema):
    """Which days and trades; dates are New York days, both included."""

    since = Instant(data_key="start_date", load_default=None)
    until = Instant(data_key="end_date", load_default=None, end_of_day=True)
    session = Session(load_default=None)
    direction = Direction(load_default=None)
    status = Statuses(load_default=None)
    limit = ma.fields.Integer(load_default=1000, validate=ma.validate.Range(1, 5000))
    cursor = Cursor(load_default=None)


@blueprint.get("/api/automated-signals/hub-data")
@access(Role.READ)
@blueprint.arguments(HubQuery, location="query")
def show_hub_data(query: dict[str, Any]) -> Response:
    """A calendar of New York days, and the trades themselves, newest first (`limit`, `cursor`)."""
    limit = query["limit"]
    days, page = summaries.select_calendar(services().pool, filters=query, before=query["cursor"], limit=limit + 1)
    return answer(
        {
            "success": True,
            "calendar": [
                {
                    "date": row.day,
                    "trade_count": row.trades,
                    "avg_be_mfe_R": mean_of(row.be_sum, row.be_n),
                    "avg_no_be_mfe_R": mean_of(row.no_be_sum, row.no_be_n),
                    "avg_max_mfe_R": mean_of(row.max_sum, row.max_n),
                    "total_r": row.total_r,
                }
                for row in days
            ],
            "trades": jsontext.written_list(
                as_listed(trade, date=trading_date(trade.trade_time)) for trade in page[:limit]
            ),
            "next_cursor": page_cursor(page, limit),
        }
    )


class IntegrityQuery(ma.Schema):
    """How many of the newest trades are looked at."""

    limit = ma.fields.Integer(load_default=1000, validate=ma.validate.Range(1, 5000))


@blueprint.get("/api/automated-signals/integrity-report")
@access(Role.READ)
@blueprint.arguments(IntegrityQuery, location="query")
def show_integrity_report(query: dict[str, Any]) -> Response:
    """What is wrong with the evidence of the newest `limit` trades; ghosts are counted among all. Samples are of 10."""
    found = summaries.select_integrity(services().pool, limit=query["limit"])
    rows = found.newest
    without_mfe = (row.trade_id for row in rows if row.no_entry and "MFE_BEFORE_ENTRY" in row.anomalies)
    return answer(
        {
            "success": True,
            "total_events": found.events,
            "total_trades": found.trades,
            "limit": query["limit"],
            "issues": {
                "multiple_entry_trades": _issue(_with(rows, "DUPLICATE_ENTRY")),
                "exit_without_entry_trades": _issue(_with(rows, "EXIT_WITHOUT_ENTRY")),
                "mfe_without_entry_trades": _issue(without_mfe),
                "exit_before_entry_trades": _issue(_with(rows, "EXIT_BEFORE_ENTRY")),
                "ghost_trades": _issue(found.ghosts),
            },
        }
    )


def _with(rows: Iterable[Any], code: str) -> Iterable[str]:
    return (row.trade_id for row in rows if code in row.anomalies)


def _issue(trade_ids: Iterable[str]) -> dict[str, Any]:
    ids = list(trade_ids)
    return {"count": len(ids), "sample": ids[:10]}


@blueprint.get("/api/automated-signals/gaps")
@access(Role.READ)
@blueprint.arguments(PageQuery, location="query")
def list_gaps(query: dict[str, Any]) -> Response:
    """Position alerts that never came, newest first: between `after` and `before` the position of the stream changed
    from `expected` to `found` without an alert. A late arrival closes its gap."""
    limit = query["limit"]
    rows = summaries.select_gaps(services().pool, before=query["cursor"], limit=limit + 1)
    more = cursor(rows[limit - 1].before_time, rows[limit - 1].gap_id) if len(rows) > limit else None
    items = [
        {
            "stream": row.stream_id,
            "after": row.after_time,
            "before": row.before_time,
            "expected": row.expected,
            "found": row.found,
        }
        for row in rows[:limit]
    ]
    return answer({"success": True, "items": items, "next_cursor": more})
