"""Deleting trades, recorded and restorable."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import marshmallow as ma
from flask import Response

from database import deletions
from errors import Detail, Invalid
from handlers.blueprint import Blueprint
from handlers.feed import TelemetryCursor
from handlers.fields import Text
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.middleware.request_id import current_id
from handlers.queries import cursor
from handlers.services import services
from state.position import stream_of

blueprint = Blueprint("deletions", __name__, description="Deleting trades so that they can be put back.")


class ByBody(ma.Schema):
    """Who does it, and why."""

    actor = Text(1, 200, load_default="admin")
    reason = Text(0, 1000, load_default=None, allow_none=True)


class TradesBody(ByBody):
    """Which trades."""

    trade_ids = ma.fields.List(Text(1, 500), required=True, validate=ma.validate.Length(1, 10_000))


class RestoreBody(ByBody):
    """What to put back: trades by id, everything of one deletion, or both together."""

    trade_ids = ma.fields.List(Text(1, 500), load_default=None, validate=ma.validate.Length(1, 10_000))
    deletion_id = ma.fields.Integer(load_default=None, strict=True, validate=ma.validate.Range(1, 2**62))


def _by(body: dict[str, Any]) -> deletions.By:
    return deletions.By(body["actor"], body["reason"], current_id(), datetime.now(UTC))


def _refuse_derived(trade_ids: Sequence[str]) -> None:
    """A derived trade has no events of its own: an alert that reverses belongs to two."""
    details = [
        Detail(f"trade_ids[{index}]", "DERIVED_TRADE", f"This trade is derived: delete its whole stream {stream}.")
        for index, trade_id in enumerate(trade_ids)
        if (stream := stream_of(trade_id)) is not None
    ]
    if details:
        raise Invalid(details[0].message, code="DERIVED_TRADE", details=details)


@blueprint.post("/api/automated-signals/delete-trades")
@access(Role.ADMIN)
@blueprint.arguments(TradesBody, location="json")
def delete_trades(body: dict[str, Any]) -> Response:
    """Delete whole trades: their events are taken out and kept; /restore-trades puts them back.

    Idempotent: ids of which nothing is left are passed over. A trade derived from position alerts goes with its
    stream. Recorded with who, when, why and what.
    """
    done = _delete(body)
    return answer(
        {
            "success": True,
            "deleted": sum(done.events.values()),
            "trade_ids": list(done.events),
            "deletion_id": done.id,
        }
    )


@blueprint.post("/api/automated-signals/bulk-delete")
@access(Role.ADMIN)
@blueprint.arguments(TradesBody, location="json")
def bulk_delete(body: dict[str, Any]) -> Response:
    """The same as /delete-trades, answered in counts."""
    done = _delete(body)
    return answer(
        {
            "success": True,
            "deleted_count": sum(done.events.values()),
            "trade_count": len(done.events),
            "deletion_id": done.id,
        }
    )


def _delete(body: dict[str, Any]) -> deletions.Deletion:
    _refuse_derived(body["trade_ids"])
    return deletions.delete_trades(services().pool, body["trade_ids"], _by(body))


@blueprint.post("/api/automated-signals/purge-ghosts")
@access(Role.ADMIN)
@blueprint.arguments(ByBody, location="json")
def purge_ghosts(body: dict[str, Any]) -> Response:
    """Delete what stands under ids that no alert may have: none at all when it came, or one with a comma.

    Idempotent; recorded and restorable like any deletion.
    """
    done = deletions.purge_ghosts(services().pool, _by(body))
    return answer(
        {
            "success": True,
            "deleted": sum(done.events.values()),
            "trade_ids": list(done.events),
            "criteria": "trade_id was null or empty, or contains a comma",
            "deletion_id": done.id,
        }
    )


@blueprint.post("/api/automated-signals/restore-trades")
@access(Role.ADMIN)
@blueprint.arguments(RestoreBody, location="json")
def restore_trades(body: dict[str, Any]) -> Response:
    """Put deleted trades back just as they were, by `trade_ids`, by `deletion_id`, or by both.

    Idempotent: what is back already is passed over. An alert that was sent again meanwhile is not doubled.
    """
    if body["trade_ids"] is None and body["deletion_id"] is None:
        message = "Say what to put back: trade_ids, deletion_id, or both."
        raise Invalid(message, details=[Detail("trade_ids", "MISSING", message)])
    back = deletions.restore(
        services().pool, trade_ids=body["trade_ids"], deletion_id=body["deletion_id"], by=_by(body)
    )
    return answer({"success": True, "restored": sum(back.values()), "trade_ids": list(back)})


class DeletionsQuery(ma.Schema):
    """A page of deletions."""

    limit = ma.fields.Integer(load_default=100, validate=ma.validate.Range(1, 1000))
    cursor = TelemetryCursor(load_default=None)


@blueprint.get("/api/automated-signals/deletions")
@access(Role.ADMIN)
@blueprint.arguments(DeletionsQuery, location="query")
def list_deletions(query: dict[str, Any]) -> Response:
    """Who deleted what and when, newest first, with how many events can still be put back."""
    limit = query["limit"]
    rows = deletions.select_deletions(services().pool, before=query["cursor"], limit=limit + 1)
    more = cursor(rows[limit - 1].deleted_at, rows[limit - 1].id) if len(rows) > limit else None
    names = ("kind", "actor", "reason", "request_id", "deleted_at", "trade_count", "event_count", "restorable")
    items = [{"deletion_id": row.id, **{name: getattr(row, name) for name in names}} for row in rows[:limit]]
    return answer({"success": True, "items": items, "next_cursor": more})
