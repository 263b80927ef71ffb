"""Intake: what came in, how fast, what waits in spool and quarantine, who has fallen silent."""

from datetime import UTC, datetime
from typing import Any, Final

import marshmallow as ma
from flask import Response
from marshmallow import fields, validate

from dashboard.filters import arguments
from dashboard.pages import blueprint, fragment, page
from database import intake, quarantine, summaries
from handlers import intake as numbers
from handlers.middleware.access import Role, access
from handlers.queries import PageQuery, RowPageQuery, cursor
from handlers.services import services

PAGE: Final = 50
GAPS: Final = 8
_ALL: Final[dict[str, Any]] = {"state": None, "reason": None, "version": None, "since": None, "until": None}


class IntakeQuery(ma.Schema):
    """How far back."""

    hours = fields.Integer(load_default=24, validate=validate.OneOf([1, 24, 72, 168]))


@blueprint.get("/intake")
@access(Role.READ)
def show_intake() -> Response:
    """The page."""
    hours = arguments(IntakeQuery())["hours"]
    return page(
        "intake.html",
        numbers=numbers.numbers(hours),
        hours=hours,
        silence=numbers.silence(datetime.now(UTC)),
        waiting=quarantine.select_page(services().pool, before=None, limit=PAGE, **{**_ALL, "state": "waiting"}),
        receipts=intake.select_receipts(services().pool, kind=None, since=None, before=None, limit=12),
        gaps=summaries.select_gaps(services().pool, before=None, limit=GAPS),
    )


@blueprint.get("/intake/numbers")
@access(Role.READ)
def show_intake_numbers() -> Response:
    """The numbers again."""
    hours = arguments(IntakeQuery())["hours"]
    return fragment("intake_numbers.html", numbers=numbers.numbers(hours), hours=hours)


@blueprint.get("/gaps")
@access(Role.READ)
def list_gaps() -> Response:
    """Every break in the continuity of position alerts, newest first."""
    before = arguments(PageQuery())["cursor"]
    rows = summaries.select_gaps(services().pool, before=before, limit=PAGE + 1)
    more = cursor(rows[PAGE - 1].before_time, rows[PAGE - 1].gap_id) if len(rows) > PAGE else None
    return page("gaps.html", gaps=rows[:PAGE], more=more, first=before is None)


class QuarantineQuery(RowPageQuery):
    """Which quarantined alerts."""

    state = fields.String(load_default=None, validate=validate.OneOf(["waiting", "replayed", "discarded"]))
    reason = fields.String(load_default=None, validate=validate.Length(1, 100))


@blueprint.get("/quarantine")
@access(Role.ADMIN)
def list_quarantine() -> Response:
    """All quarantined alerts, newest first."""
    query = arguments(QuarantineQuery())
    filters = {**_ALL, "state": query["state"], "reason": query["reason"]}
    rows = quarantine.select_page(services().pool, before=query["cursor"], limit=PAGE + 1, **filters)
    more = cursor(rows[PAGE - 1].received_at, rows[PAGE - 1].id) if len(rows) > PAGE else None
    return page(
        "quarantine.html", items=rows[:PAGE], more=more, state=query["state"] or "", reason=query["reason"] or ""
    )


@blueprint.get("/quarantine/<int:quarantine_id>")
@access(Role.ADMIN)
def show_quarantined(quarantine_id: int) -> Response:
    """One quarantined alert: what is wrong with it, its text to mend, replay and discard."""
    row = quarantine.select_one(services().pool, quarantine_id if quarantine_id < 2**63 else 0)
    return page("quarantined.html", item=row, text=bytes(row.raw).decode("utf-8", "replace"))
