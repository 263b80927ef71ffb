"""The webhook: an alert comes in, is stored, and is answered once it is durable."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from flask import Response

from database.signals import Stored
from errors import AlertbookError, PoisonRow, Unauthenticated
from handlers import payloads
from handlers.blueprint import Blueprint
from handlers.middleware.access import Role, access, matches
from handlers.middleware.answers import answer
from handlers.middleware.bodies import json_object, read_body
from handlers.payloads import Reading, Refused
from handlers.services import Services, services
from state.event import SignalEvent

blueprint = Blueprint("signals", __name__, description="Alerts coming in.")

#: Seconds from the first byte read to the answer.
DEADLINE: Final = 2.0


@blueprint.post("/api/automated-signals")
@blueprint.post("/api/automated-signals/webhook")
@blueprint.post("/api/automated-signals/<secret>", endpoint="receive_with_secret")
@blueprint.post("/api/automated-signals/webhook/<secret>", endpoint="receive_with_secret")
@access(Role.WEBHOOK)
def receive(secret: str | None = None) -> Response:
    """Take a TradingView alert.

    The body is read as JSON whatever its Content-Type says. The secret stands in the path or in the body as
    `secret`. The same alert sent twice is stored once: with a time of its own for ever, without one within 30 s;
    the repeat answers `"duplicate": true` and the first event's id.
    """
    received_at = datetime.now(UTC)
    here = services()
    known = here.settings.webhook_secrets
    body_bytes = read_body()
    authentic = not known or matches(secret, known)
    try:
        body = json_object(body_bytes)
    except AlertbookError:
        if not authentic:
            raise _no_secret() from None
        raise
    inside = body.pop("secret", None)
    if not authentic and not (isinstance(inside, str) and matches(inside, known)):
        raise _no_secret()
    context = payloads.Context(received_at=received_at, naive_zone=here.settings.naive_timestamp_zone)
    return answer(_store(here, payloads.read(body, context)))


def _no_secret() -> Unauthenticated:
    return Unauthenticated(
        "The webhook secret is missing or wrong: put it last in the path, or in the body as `secret`."
    )


def _store(here: Services, reading: Reading) -> Mapping[str, Any]:
    events = [outcome for outcome in reading.outcomes if isinstance(outcome, SignalEvent)]
    if reading.style == "batch":
        return _batch_answer(reading, _store_batch(here, events))
    event = events[0]
    stored = here.writer.write(events, timeout=DEADLINE)[0]
    message = (
        f"Telemetry event {event.event_type} processed"
        if reading.style == "telemetry"
        else "Legacy payload processed (existing handler)"
    )
    result: dict[str, Any] = {"success": True, "message": message, **_place(event, stored)}
    if reading.style == "telemetry":
        result["schema_version"] = reading.schema_version
    return result


def _place(event: SignalEvent, stored: Stored) -> dict[str, Any]:
    result: dict[str, Any] = {
        "trade_id": event.trade_id,
        "event_type": event.event_type,
        "event_id": stored.event_id,
        "payload_version": event.payload_version,
        "warnings": [warning.as_dict() for warning in event.warnings],
    }
    if stored.duplicate:
        result["duplicate"] = True
    return result


def _store_batch(here: Services, events: list[SignalEvent]) -> list[Stored | AlertbookError]:
    """Store a batch in one transaction; one item that the database refuses does not fail the others."""
    if not events:
        return []
    try:
        return list(here.writer.write(events, timeout=DEADLINE))
    except PoisonRow:
        if len(events) == 1:
            raise
    places: list[Stored | AlertbookError] = []
    for event in events:
        try:
            places += here.writer.write([event], timeout=DEADLINE)
        except PoisonRow as error:
            places.append(error)
    return places


def _batch_answer(reading: Reading, places: list[Stored | AlertbookError]) -> dict[str, Any]:
    waiting = iter(places)
    results = []
    for index, outcome in enumerate(reading.outcomes):
        if isinstance(outcome, Refused):
            results.append(_refused_item(index, outcome.error))
            continue
        place = next(waiting)
        if isinstance(place, AlertbookError):
            results.append(_refused_item(index, place))
        else:
            results.append({"index": index, "success": True, **_place(outcome, place)})
    succeeded = sum(result["success"] for result in results)
    return {
        "success": succeeded > 0,
        "message": "Batch processed",
        "payload_version": reading.version,
        "batch_processed": len(results),
        "succeeded": succeeded,
        "failed": len(results) - succeeded,
        "results": results,
    }


def _refused_item(index: int, error: AlertbookError) -> dict[str, Any]:
    return {
        "index": index,
        "success": False,
        "error": error.message,
        "code": error.code,
        "details": [detail.as_dict() for detail in error.details],
    }
