"""Events of the system's own life: builds, deployments, ingestions, errors."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from database import telemetry_events
from handlers.blueprint import Blueprint
from handlers.fields import Text
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.paging import IdPageQuery, idempotency_key, next_cursor, request_hash
from handlers.services import services
from state import jsontext

blueprint = Blueprint("telemetry_events", __name__, description="Events of the system's own life.")


class JsonText(ma.fields.Field[str]):
    """JSON as a text (kept as it was sent) or as an object (kept as its text)."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if isinstance(value, Mapping):
            value = _written(value)
        if not isinstance(value, str):
            raise ma.ValidationError("must be a JSON text or an object")
        try:
            _written(jsontext.parse(value))
        except jsontext.JsonTextError as error:
            raise ma.ValidationError(f"is not JSON: {error}") from None
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ma.ValidationError("holds a character that cannot be stored")
        return value


def _written(value: Any) -> str:
    try:
        return jsontext.dump(value)
    except ValueError:
        raise ma.ValidationError("holds NaN or Infinity, which JSON has not") from None


class TelemetryIn(ma.Schema):
    """One event."""

    kind = Text(1, 80, required=True)
    message = Text(0, 10_000, load_default=None, allow_none=True)
    meta_json = JsonText(load_default=None, allow_none=True)


@blueprint.post("/api/telemetry")
@access(Role.WRITE, Execution.OBSERVE_ONLY)
@blueprint.arguments(TelemetryIn, location="json")
def record_event(body: dict[str, Any]) -> Response:
    """Note an event of the system's own life.

    Idempotency: with an `Idempotency-Key` header the same request again answers the same event; the same key with
    another body is 409. Without the header every request is an event of its own.
    """
    made = telemetry_events.insert_event(
        services().pool,
        kind=body["kind"],
        message=body["message"],
        meta_json=body["meta_json"],
        key=idempotency_key(),
        request_hash=request_hash(body["kind"], body["message"], body["meta_json"]),
    )
    return answer({"ok": True, "id": made.id, "kind": made.kind, "created_at": made.created_at}, 201)


class TelemetryQuery(IdPageQuery):
    """Which events."""

    kind = Text(1, 80, load_default=None)


@blueprint.get("/api/telemetry")
@access(Role.READ)
@blueprint.arguments(TelemetryQuery, location="query")
def list_events(query: dict[str, Any]) -> Response:
    """Events, newest first. `meta_json` is the JSON text as it was sent."""
    limit = query["limit"]
    rows = telemetry_events.select_events(services().pool, kind=query["kind"], before=query["cursor"], limit=limit + 1)
    items = [row._asdict() for row in rows[:limit]]
    return answer({"ok": True, "items": items, "next_cursor": next_cursor(rows, limit)})
