"""The audit and the Monday review."""

from typing import Any

import marshmallow as ma
from flask import Response

from database.governance import audit
from database.governance import review as reviews
from errors import Detail, Invalid
from handlers.blueprint import Blueprint
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.queries import Instant, PageQuery, cursor
from handlers.services import services

blueprint = Blueprint(
    "governance-review", __name__, url_prefix="/api/governance", description="The audit and the Monday review."
)


class AuditQuery(PageQuery):
    """A page of the audit; every filter is optional."""

    actor = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 200))
    key_id = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 200))
    action = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 200))
    subject = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 200))
    since = Instant(data_key="from", load_default=None)
    until = Instant(data_key="to", load_default=None, end_of_day=True)


@blueprint.get("/audit")
@access(Role.READ, Execution.OBSERVE_ONLY)
@blueprint.arguments(AuditQuery, location="query")
def list_audit(query: dict[str, Any]) -> Response:
    """Every change and decision, newest first: who, with which key, what, before and after, why, when."""
    limit = query["limit"]
    before_seq = None
    if query["cursor"] is not None:
        place = query["cursor"][1]
        if not place.isdecimal() or len(place) > 18:
            detail = Detail("cursor", "INVALID", "not a cursor of this list")
            raise Invalid("The cursor is not one of this list.", details=[detail])
        before_seq = int(place)
    page = audit.select_page(services().pool, filters=query, before_seq=before_seq, limit=limit + 1)
    more = cursor(page[limit - 1]["at"], page[limit - 1]["seq"]) if len(page) > limit else None
    return answer({"items": page[:limit], "next_cursor": more})


@blueprint.get("/review")
@access(Role.READ, Execution.OBSERVE_ONLY)
def show_review() -> Response:
    """The Monday review in one answer: switches, ledger, wires, scorecard, a week of denials, a verdict."""
    return answer(reviews.select_review(services().pool, services().settings.risk_day_zone))
