"""The webhook: an alert comes in, is stored, and is answered once it is durable."""

import time
from datetime import UTC, datetime
from typing import Final

from flask import Response, request

from database.receipts import Delivery
from errors import AlertbookError, Forbidden, Invalid, NotJson, Unauthenticated, UnsupportedMedia
from handlers.blueprint import Blueprint
from handlers.delivery import Incoming, deliver, quarantined
from handlers.middleware import failures
from handlers.middleware.access import Role, access, matches
from handlers.middleware.answers import answer
from handlers.middleware.bodies import alert_object, read_body
from handlers.middleware.peer import allowed, peer_address
from handlers.payloads.credentials import take_credentials
from handlers.services import Services, services

blueprint = Blueprint("signals", __name__, description="Alerts coming in.")

#: Seconds from the first byte read to the answer: TradingView gives up after three and does not come back then.
DEADLINE: Final = 2.0
#: Seconds in which a body must have arrived whole.
BODY_SECONDS: Final = 1.5


@blueprint.post("/api/automated-signals")
@blueprint.post("/api/automated-signals/webhook")
@blueprint.post("/api/automated-signals/<secret>", endpoint="receive_with_secret")
@blueprint.post("/api/automated-signals/webhook/<secret>", endpoint="receive_with_secret")
@access(Role.WEBHOOK)
def receive(secret: str | None = None) -> Response:
    """Take a TradingView alert.

    The body is read as JSON whatever its Content-Type says, or as a PineConnector line. The secret stands in the
    path, or in the body as `secret` or `passphrase`. The same alert sent twice is stored once: with a time of its
    own for ever, without one within 30 s; the repeat answers `"duplicate": true` and the first event's id. 200 means
    that the alert is durable, in the database or, while that is away, in the spool (`"durable"`).
    """
    here, until = services(), time.monotonic() + DEADLINE
    delivery = Delivery(datetime.now(UTC), peer_address())
    known = here.settings.webhook_secrets
    authentic = not known or matches(secret, known)
    try:
        incoming = Incoming(_read(here, delivery), delivery, until)
    except AlertbookError as error:
        _note_refusal(here, delivery, error, authentic=authentic)
        raise
    try:
        offered, body = take_credentials(alert_object(incoming.raw))
    except (NotJson, Invalid) as error:
        if not authentic:
            failures.refuse(_no_secret())
        raise quarantined(here, incoming, error) from None
    if not authentic and not any(matches(one, known) for one in offered):
        failures.refuse(_no_secret())
    return answer(deliver(here, incoming, body, taken=" ".join(offered)))


def _read(here: Services, delivery: Delivery) -> bytes:
    if not allowed(delivery.peer):
        raise Forbidden("Alerts are not taken from this address.", code="ADDRESS_NOT_ALLOWED")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("An alert's body must not be compressed.")
    return read_body(here.settings.webhook_body_limit, seconds=BODY_SECONDS)


def _note_refusal(here: Services, delivery: Delivery, error: AlertbookError, *, authentic: bool) -> None:
    """An authentic delivery leaves a row; of others only their number is kept."""
    if authentic and not isinstance(error, Forbidden):
        here.tally.refused(delivery, body_hash="", status=error.status, code=error.code)
    else:
        here.tally.count(error.code.lower(), delivery.received_at)


def _no_secret() -> Unauthenticated:
    return Unauthenticated(
        "The webhook secret is missing or wrong: put it last in the path, or in the body as `secret`."
    )
