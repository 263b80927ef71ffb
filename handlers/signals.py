"""The webhook: an alert comes in, is stored, and is answered once it is durable."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import flask
from flask import Response, request

from database.receipts import Delivery
from errors import AlertbookError, Forbidden, Invalid, NotFound, NotJson, Overloaded, Unauthenticated, UnsupportedMedia
from handlers import refusals
from handlers.blueprint import Blueprint
from handlers.delivery import Incoming, deliver, quarantined
from handlers.middleware.access import Role, access, matches
from handlers.middleware.answers import answer
from handlers.middleware.arrival import arrival_of
from handlers.middleware.bodies import alert_object, body_of
from handlers.middleware.failures import refuse_from
from handlers.middleware.local import require_local
from handlers.middleware.peer import allowed, peer_of
from handlers.payloads.credentials import take_credentials
from handlers.services import Services, services

blueprint = Blueprint("signals", __name__, description="Alerts coming in.")

#: Seconds from the first byte read to the answer: TradingView gives up after three and does not come back then.
DEADLINE: Final = 2.0
#: Seconds in the queue after which there is too little time left. A sender that is told so comes again; one that
#: has given up does not, and its alert is stored whoever may hear of it.
PATIENCE: Final = 1.4
SENDER_GIVES_UP: Final = 2.5
#: The system tells waits in ticks of at most so many seconds: nothing is said to have come before it did.
TICK: Final = 0.01
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
    return answer(take(services(), request.environ, secret))


@access(Role.WEBHOOK)
def receive_with_slashes(secret: str) -> Response:
    """Take a TradingView alert whose secret holds a slash, as one in base64 may; without secrets there is no such
    address."""
    if not services().settings.webhook_secrets:
        raise NotFound("There is nothing at this address.")
    return answer(take(services(), request.environ, secret))


# past the API's description, whose addresses cannot tell the two apart
flask.Blueprint.add_url_rule(
    blueprint,
    "/api/automated-signals/webhook/<path:secret>",
    view_func=receive_with_slashes,
    methods=["POST"],
    merge_slashes=False,
)


def take(here: Services, environ: dict[str, Any], secret: str | None) -> dict[str, Any]:
    """What the answer to an alert says, once it is durable. Raises what it is refused with."""
    waited, hung_up = arrival_of(environ)
    until = time.monotonic() + DEADLINE - min(waited, PATIENCE)
    delivery = Delivery(_received_at(waited), peer_of(environ, here.settings.trusted_proxy_hops))
    known = here.settings.webhook_secrets
    authentic = not known or matches(secret, known)
    try:
        if not known:
            require_local("WEBHOOK_SECRET", environ)
        _refuse_late(waited, hung_up)
        raw = _read(here, environ, delivery)
    except AlertbookError as error:
        _note_refusal(here, delivery, error, until, authentic=authentic)
        raise
    try:
        with here.gate:
            return _take_in_turn(here, environ, Incoming(raw, delivery, until), authentic=authentic)
    except Unauthenticated as error:  # counted outside, so that whoever tries keys holds nobody's place
        refuse_from(here, delivery.peer, error)


def _received_at(waited: float) -> datetime:
    """When an alert came that waited so many seconds for us: what its sender sent after it must not stand before it."""
    now = datetime.now(UTC)
    return now - timedelta(seconds=waited - TICK) if waited > TICK else now


def _take_in_turn(here: Services, environ: dict[str, Any], incoming: Incoming, *, authentic: bool) -> dict[str, Any]:
    waited, hung_up = arrival_of(environ)
    try:
        _refuse_late(waited, hung_up)
    except Overloaded as error:
        _note_refusal(here, incoming.delivery, error, incoming.until, authentic=authentic)
        raise
    if _too_late(waited, hung_up):
        incoming = replace(incoming, until=time.monotonic() + DEADLINE)
    return _store(here, incoming, authentic=authentic)


def _too_late(waited: float, hung_up: bool) -> bool:
    """Whether nobody hears the answer any more: then nobody will send the alert again, and it is stored."""
    return hung_up or waited >= SENDER_GIVES_UP


def _refuse_late(waited: float, hung_up: bool) -> None:
    if waited > PATIENCE and not _too_late(waited, hung_up):
        raise Overloaded("More alerts came at once than can be stored in time: send this one again.", retry_after=5)


def _store(here: Services, incoming: Incoming, *, authentic: bool) -> dict[str, Any]:
    known = here.settings.webhook_secrets
    try:
        offered, body = take_credentials(alert_object(incoming.raw), incoming.raw)
    except (NotJson, Invalid) as error:
        if not authentic:
            raise _no_secret() from None
        raise quarantined(here, incoming, error) from None
    if not authentic and not any(matches(one, known) for one in offered):
        raise _no_secret()
    return deliver(here, incoming, body, taken=" ".join(offered))


def _read(here: Services, environ: dict[str, Any], delivery: Delivery) -> bytes:
    if not allowed(delivery.peer, here.settings.webhook_allowed_ips):
        raise Forbidden("Alerts are not taken from this address.", code="ADDRESS_NOT_ALLOWED")
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMedia("An alert's body must not be compressed.")
    return body_of(environ, here.settings.webhook_body_limit, seconds=BODY_SECONDS)


def _note_refusal(here: Services, delivery: Delivery, error: AlertbookError, until: float, *, authentic: bool) -> None:
    """An authentic delivery leaves a row; of others only their number is kept."""
    if authentic and not isinstance(error, Forbidden):
        refusals.note(here, delivery, error, body_hash="", until=until)
    else:
        here.tally.count(error.code.lower(), delivery.received_at)


def _no_secret() -> Unauthenticated:
    return Unauthenticated(
        "The webhook secret is missing or wrong: put it last in the path, or in the body as `secret`."
    )
