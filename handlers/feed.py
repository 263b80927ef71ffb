"""Events as they were stored: a feed to follow, and the bodies of telemetry."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import marshmallow as ma
from flask import Response, request

from database import feed, signals
from errors import NotFound
from handlers.blueprint import Blueprint
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.queries import Cursor, Direction, Instant, Session, cursor
from handlers.services import services
from state import jsontext
from state.event import SignalEvent
from state.vocabulary import EVENT_NAMES, POSITION, canonical_event

blueprint = Blueprint("feed", __name__, description="Events as they were stored.")


class FeedCursor(ma.fields.Field[int]):
    """The opaque place in the feed up to which a follower has read."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        try:
            word, _, number = base64.b64decode(str(value), altchars=b"-_", validate=True).decode().partition(":")
            if word == "feed" and number.isascii() and number.isdecimal() and len(number) < 19:
                return int(number)
        except (binascii.Error, ValueError):
            pass
        raise ma.ValidationError("not a cursor of this feed: take next_cursor as it was answered")


def feed_cursor(position: int) -> str:
    """The opaque text of a place in the feed."""
    return base64.urlsafe_b64encode(f"feed:{position}".encode()).decode()


class Types(ma.fields.Field[list[str]]):
    """One event type or several, separated by commas, under any of their names."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[str]:
        found: list[str] = []
        for name in (part.strip().upper() for part in str(value).split(",")):
            canonical = POSITION if name == POSITION else canonical_event(name)
            if canonical is None:
                raise ma.ValidationError("must be event types, such as ENTRY,EXIT_STOP_LOSS")
            # a row of the older system keeps the name that it came with
            found += [canonical, *(other for other, known in EVENT_NAMES.items() if known == canonical)]
        return found


class EventFilters(ma.Schema):
    """Which events: every filter is optional. Times are the events' own."""

    types = Types(data_key="type", load_default=None)
    symbol = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 100))
    strategy = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 100))
    session = Session(load_default=None)
    direction = Direction(load_default=None)
    since = Instant(data_key="from", load_default=None)
    until = Instant(data_key="to", load_default=None, end_of_day=True)


class FeedQuery(EventFilters):
    """A page of the feed."""

    limit = ma.fields.Integer(load_default=100, validate=ma.validate.Range(1, 1000))
    after = FeedCursor(data_key="cursor", load_default=0)


@blueprint.get("/api/automated-signals/events")
@access(Role.READ)
@blueprint.arguments(FeedQuery, location="query")
def follow_events(query: dict[str, Any]) -> Response:
    """Events in an order that can be followed: each is delivered exactly once to who always asks on from next_cursor.

    An event that commits late comes late, never before a place that a follower has passed. `next_cursor` is always
    there: at the end of the feed (`more` is false) it is where to go on asking. Answers carry an ETag; ask with
    If-None-Match and nothing new is 304.
    """
    page = feed.select_page(services().pool, after=query["after"], filters=query, limit=query["limit"])
    rest = jsontext.dump({"next_cursor": feed_cursor(page.reached), "more": page.more})
    # put together here: writing half a megabyte out as values would take longer than reading it
    response = Response(f'{{"success":true,"items":[{",".join(page.texts)}],{rest[1:]}', mimetype="application/json")
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


class Containment(ma.fields.Field[dict[str, Any]]):
    """A JSON object that the body must contain, as PostgreSQL's jsonb @> understands it."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, Any]:
        try:
            found = jsontext.parse(str(value))
            jsontext.dump(found).encode()
        except (jsontext.JsonTextError, ValueError):
            raise ma.ValidationError('must be a JSON object, such as {"setup": {"setup_family": "FVG_CORE"}}') from None
        if not isinstance(found, dict) or "\\u0000" in jsontext.dump(found):
            raise ma.ValidationError("must be a JSON object without NUL characters")
        return found


class TelemetryCursor(Cursor):
    """A place in the list of bodies."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        at, number = super()._deserialize(value, *args, **kwargs)
        if not number.isascii() or not number.isdecimal() or len(number) > 18:
            raise ma.ValidationError("not a cursor of this list: take next_cursor as it was answered")
        return at, int(number)


class TelemetryQuery(ma.Schema):
    """Which bodies."""

    schema_version = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 100))
    contains = Containment(load_default=None)
    limit = ma.fields.Integer(load_default=100, validate=ma.validate.Range(1, 1000))
    cursor = TelemetryCursor(load_default=None)


@blueprint.get("/api/automated-signals/telemetry")
@access(Role.READ)
@blueprint.arguments(TelemetryQuery, location="query")
def list_telemetry(query: dict[str, Any]) -> Response:
    """The stored bodies of telemetry, newest first, by schema version and by what they contain."""
    limit = query["limit"]
    events = signals.select_telemetry(
        services().pool,
        schema_version=query["schema_version"],
        contains=query["contains"],
        before=query["cursor"],
        limit=limit + 1,
    )
    more = cursor(events[limit - 1].received_at, events[limit - 1].id) if len(events) > limit else None
    return answer({"success": True, "items": [_body(event) for event in events[:limit]], "next_cursor": more})


@blueprint.get("/api/automated-signals/telemetry/<int:event_id>")
@access(Role.READ)
def show_telemetry(event_id: int) -> Response:
    """The stored body of one event, of any payload version."""
    event = signals.select_event(services().pool, event_id) if event_id < 1 << 63 else None
    if event is None:
        raise NotFound("There is no such event.", code="EVENT_NOT_FOUND")
    return answer({"success": True, **_body(event)})


def _body(event: SignalEvent) -> dict[str, Any]:
    at: datetime = event.received_at
    return {
        "event_id": event.id,
        "trade_id": event.trade_id,
        "event_type": event.event_type,
        "event_timestamp": event.event_timestamp,
        "received_at": at,
        "payload_version": event.payload_version,
        "schema_version": event.schema_version,
        "telemetry": event.telemetry if event.telemetry is not None else event.legacy_payload,
    }
