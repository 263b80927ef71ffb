"""What people were told: every notice with each of its deliveries."""

from typing import Any

from flask import Response

from database import deliveries
from handlers.blueprint import Blueprint
from handlers.fields import Text
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.paging import IdPageQuery, next_cursor
from handlers.services import services

blueprint = Blueprint("notices", __name__, description="What people were told.")


class NoticesQuery(IdPageQuery):
    """Which notices."""

    kind = Text(1, 80, load_default=None)


@blueprint.get("/api/v1/notices")
@access(Role.READ)
@blueprint.arguments(NoticesQuery, location="query")
def list_notices(query: dict[str, Any]) -> Response:
    """Notices, newest first. A delivery's `status` is pending, sending, delivered, unknown or given_up.

    unknown: a chat was handed the message and did not answer, so it may have it; a chat is never sent it twice.

    `deliveries` is empty until the next round of the delivery, and where NOTIFY_WEBHOOK_URLS names nobody. `target`
    names a receiver without its address.
    """
    limit = query["limit"]
    rows = deliveries.select_notices(services().pool, kind=query["kind"], before=query["cursor"], limit=limit + 1)
    items = [row._asdict() for row in rows[:limit]]
    return answer({"ok": True, "items": items, "next_cursor": next_cursor(rows, limit)})
