"""One delivery from its body to its answer: read, masked, made durable, or kept in quarantine."""

import time
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from database import spool as spools
from database.durable import SPOOL_SECONDS
from database.quarantine import Held
from database.receipts import Delivery
from database.signals import Stored
from errors import AlertbookError, DatabaseError, Invalid, PoisonRow, Unavailable
from handlers import payloads, refusals
from handlers.masking import mask_body, mask_raw, mask_text
from handlers.payloads import Reading, Refused
from handlers.services import Services
from settings import VERSION
from state.event import EventWarning, SignalEvent

#: What reads the alerts now: kept beside every body that it could not read.
PARSER_VERSION: Final = VERSION
_MESSAGES: Final = {"telemetry": "Telemetry event {} processed", "position": "Position alert processed"}


@dataclass(frozen=True, slots=True)
class Incoming:
    """A delivery under way: its bytes, and the monotonic time at which it must be answered."""

    raw: bytes
    delivery: Delivery
    until: float

    @property
    def body_hash(self) -> str:
        return sha256(self.raw).hexdigest()


def deliver(here: Services, incoming: Incoming, body: dict[str, Any], *, taken: object) -> dict[str, Any]:
    """Store what an authentic body says and return the answer.

    `taken` is what the body offered as the secret, which was taken out. What cannot become an event is kept in
    quarantine and raised as it is, with the quarantine's id. Raises Unavailable when nothing could be stored.
    """
    body, removed = mask_body(body, incoming.raw, here.settings.webhook_secrets, taken=taken)
    context = payloads.Context(received_at=incoming.delivery.received_at, naive_zone=here.settings.naive_timestamp_zone)
    hashes = [incoming.body_hash]
    try:
        reading = payloads.read(body, context)
        hashes = [outcome.body_hash for outcome in reading.outcomes if isinstance(outcome, SignalEvent)] or hashes
        if reading.style == "batch":
            told = _deliver_batch(here, incoming, reading)
        else:
            told = _deliver_one(here, incoming, reading, removed)
    except (Invalid, PoisonRow) as error:
        raise quarantined(here, incoming, error, version=payloads.recognised_as(body)) from None
    except (Unavailable, DatabaseError) as error:
        for body_hash in hashes:
            refusals.note(here, incoming.delivery, error, body_hash=body_hash, until=incoming.until)
        raise
    if here.trade_feed is not None:
        here.trade_feed.tell()
    return told


def _deliver_one(here: Services, incoming: Incoming, reading: Reading, removed: list[EventWarning]) -> dict[str, Any]:
    (event,) = (outcome for outcome in reading.outcomes if isinstance(outcome, SignalEvent))
    written = here.store.write([event], until=incoming.until, delivery=incoming.delivery)
    message = _MESSAGES.get(reading.style, "Legacy payload processed (existing handler)").format(event.event_type)
    result = {"success": True, "message": message, **_place(event, written.places[0], written.durable)}
    result["warnings"] += [warning.as_dict() for warning in removed]
    if reading.style == "telemetry":
        result["schema_version"] = reading.schema_version
    return result


def _place(event: SignalEvent, stored: Stored, durable: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "trade_id": event.trade_id,
        "event_type": event.event_type,
        "event_id": stored.event_id,
        "payload_version": event.payload_version,
        "durable": durable,
        "warnings": [warning.as_dict() for warning in event.warnings],
    }
    if stored.duplicate:
        result["duplicate"] = True
    return result


def _deliver_batch(here: Services, incoming: Incoming, reading: Reading) -> dict[str, Any]:
    """All items that can be events in one transaction; one that the database refuses does not fail the others."""
    events = [outcome for outcome in reading.outcomes if isinstance(outcome, SignalEvent)]
    places = iter(_store_items(here, incoming, events))
    results: list[dict[str, Any]] = []
    kept: list[int | None] = []
    for index, outcome in enumerate(reading.outcomes):
        place = outcome.error if isinstance(outcome, Refused) else next(places)
        if isinstance(place, AlertbookError):
            if not kept:  # the body holds every item, so it is kept once
                kept.append(quarantined(here, incoming, place, version=reading.version).extra["quarantine_id"])
            results.append({**_refused_item(index, place), "quarantine_id": kept[0]})
        elif isinstance(outcome, SignalEvent):
            results.append({"index": index, "success": True, **place, "trade_id": outcome.trade_id})
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


def _store_items(
    here: Services, incoming: Incoming, events: list[SignalEvent]
) -> list[dict[str, Any] | AlertbookError]:
    if not events:
        return []
    try:
        written = here.store.write(events, until=incoming.until, delivery=incoming.delivery)
    except PoisonRow as error:
        if len(events) == 1:
            return [error]
        return [place for event in events for place in _store_items(here, incoming, [event])]
    return [_place(event, stored, written.durable) for event, stored in zip(events, written.places, strict=True)]


def _refused_item(index: int, error: AlertbookError) -> dict[str, Any]:
    return {
        "index": index,
        "success": False,
        "error": error.message,
        "code": error.code,
        "details": [detail.as_dict() for detail in error.details],
    }


def quarantined(
    here: Services, incoming: Incoming, error: AlertbookError, *, version: str | None = None
) -> AlertbookError:
    """The error with the id under which its body is kept; null when it is in the spool, a replay, or over the cap."""
    secrets = here.settings.webhook_secrets
    error.message = mask_text(error.message, secrets)
    error.details = tuple(
        replace(told, field=mask_text(told.field, secrets), message=mask_text(told.message, secrets))
        for told in error.details
    )
    error.extra["quarantine_id"] = None
    if incoming.delivery.replay_of is None and incoming.raw.strip():
        error.extra["quarantine_id"] = _keep(here, incoming, error, version)
    elif incoming.delivery.replay_of is None:
        _note(here, incoming, error)  # there is nothing to keep of an empty body
    return error


def _keep(here: Services, incoming: Incoming, error: AlertbookError, version: str | None) -> int | None:
    held = Held(
        received_at=incoming.delivery.received_at,
        peer=incoming.delivery.peer,
        raw=mask_raw(incoming.raw, here.settings.webhook_secrets),
        reason=error.code,
        message=error.message,
        details=error.details,
        payload_version=version,
        parser_version=PARSER_VERSION,
    )
    caps = {"per_peer": here.settings.quarantine_max_per_peer, "total": here.settings.quarantine_max_total}
    left = max(0.1, incoming.until - time.monotonic() - SPOOL_SECONDS)
    try:
        if here.store.database_away:
            raise Unavailable("the database is away")
        with here.pool.transaction(timeout=left) as connection:
            row_id = held.insert(connection, **caps)
    except (DatabaseError, Unavailable):
        _keep_in_spool(here, incoming, held)
        return None
    if row_id is None:
        _note(here, incoming, error, code="QUARANTINE_FULL")
    return row_id


def _keep_in_spool(here: Services, incoming: Incoming, held: Held) -> None:
    left = max(0.2, incoming.until - time.monotonic())
    try:
        here.spool.put(spools.QUARANTINE, held.received_at, held.spooled(), timeout=left)
    except (DatabaseError, Unavailable) as error:
        _note(here, incoming, error)
        raise


def _note(here: Services, incoming: Incoming, error: AlertbookError, code: str = "") -> None:
    refusals.note(here, incoming.delivery, error, body_hash=incoming.body_hash, until=incoming.until, code=code)
