"""The workbench: what an alert's message would become. Nothing is stored."""

from datetime import UTC, datetime
from typing import Any

from flask import Response, request

from dashboard.examples import fill_placeholders, message_of, pine_of
from dashboard.messages import MESSAGES, messages_of
from dashboard.pages import blueprint, fragment, page
from errors import AlertbookError
from handlers import payloads
from handlers.middleware.access import Role, access
from handlers.middleware.bodies import alert_object, read_body
from handlers.payloads import Refused
from handlers.payloads.credentials import take_credentials
from handlers.services import services
from state import jsontext
from state.event import SignalEvent
from state.shown import event_as_dict
from state.vocabulary import POSITION


@blueprint.get("/workbench")
@access(Role.READ)
def show_workbench() -> Response:
    """The page."""
    return page("workbench.html", examples=MESSAGES, versions=payloads.VERSIONS)


@blueprint.post("/workbench")
@access(Role.READ)
def read_message() -> Response:
    """Read a message as the webhook would, and show what it says."""
    return fragment("workbench_result.html", **reading_of(read_body(), fill="fill" in request.args))


def reading_of(raw: bytes, *, fill: bool) -> dict[str, Any]:
    """What the message becomes: {error} when all of it would be refused, else {schema, secret, items}.

    `version` is the version that knows it, also when it is refused, and `right` that version's own messages.

    An item has an `error`, or `event`, what it `shown` as JSON says, and a `message` and `pine` text that say the same.
    """
    here = services()
    raw, filled = fill_placeholders(raw, datetime.now(UTC)) if fill else (raw, [])
    version = None
    try:
        offered, body = take_credentials(alert_object(raw))
        version = payloads.recognised_as(body)
        context = payloads.Context(received_at=datetime.now(UTC), naive_zone=here.settings.naive_timestamp_zone)
        reading = payloads.read(body, context)
    except AlertbookError as error:
        return {"error": error, "items": [], "filled": filled, "version": version, "right": messages_of(version)}
    return {
        "error": None,
        "right": messages_of(reading.version),
        "items": [_item(index, outcome) for index, outcome in enumerate(reading.outcomes)],
        "version": reading.version,
        "schema": reading.schema_version,
        "secret": bool(offered),
        "filled": filled,
    }


def _item(index: int, outcome: SignalEvent | Refused) -> dict[str, Any]:
    if isinstance(outcome, Refused):
        return {"index": index, "error": outcome.error}
    item = {"index": index, "event": outcome, "shown": _shown(event_as_dict(outcome))}
    if outcome.event_type == POSITION:  # it tells what a position became, which only its own dialect can say
        return item
    message = message_of(outcome)
    return {**item, "message": jsontext.dump(message, indent=2), "pine": pine_of(message)}


def _shown(event: dict[str, Any]) -> str:
    told = {
        name: value for name, value in event.items() if value not in (None, [], {}) and name not in ("body", "event_id")
    }
    return jsontext.dump(told, indent=2)
