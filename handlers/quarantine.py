"""Quarantine: alerts that could not become events, to look at, replay and discard."""

import time
from base64 import b64encode
from typing import Any, Final

import marshmallow as ma
from flask import Response
from marshmallow import fields, validate

from database import quarantine
from database.receipts import Delivery
from errors import AlertbookError, DatabaseError, Detail, Invalid, PoisonRow, Unavailable
from handlers.blueprint import Blueprint
from handlers.delivery import Incoming, deliver
from handlers.fields import Text
from handlers.masking import mask_bytes
from handlers.middleware.access import Role, access
from handlers.middleware.answers import answer
from handlers.middleware.bodies import alert_object
from handlers.payloads.credentials import take_credentials
from handlers.queries import Instant, RowPageQuery, cursor
from handlers.services import services
from state import jsontext

blueprint = Blueprint("quarantine", __name__, description="Alerts that could not become events.")

BULK_LIMIT: Final = 1000
_REPLAY_SECONDS: Final = 5.0


class QuarantineQuery(RowPageQuery):
    """Which items: by state, reason code, payload version and time of receipt."""

    state = fields.String(load_default=None, validate=validate.OneOf(["waiting", "replayed", "discarded"]))
    reason = fields.String(load_default=None, validate=validate.Length(1, 100))
    version = fields.String(load_default=None, validate=validate.Length(1, 100))
    since = Instant(data_key="from", load_default=None)
    until = Instant(data_key="to", load_default=None, end_of_day=True)


class ReplayBody(ma.Schema):
    """A replay, of the body as it was kept or as an operator has corrected it."""

    body = fields.Raw(load_default=None)


class DiscardBody(ma.Schema):
    """Why a body may be forgotten."""

    reason = Text(1, 1000, required=True)


class BulkBody(ma.Schema):
    """Which waiting items to replay."""

    reason = Text(1, 100, required=True)
    limit = fields.Integer(load_default=100, validate=validate.Range(1, BULK_LIMIT))


@blueprint.get("/api/v1/quarantine")
@access(Role.ADMIN)
@blueprint.arguments(QuarantineQuery, location="query")
def list_quarantine(query: dict[str, Any]) -> Response:
    """Quarantined alerts, newest first, without their bodies."""
    limit, before = query.pop("limit"), query.pop("cursor")
    page = quarantine.select_page(services().pool, before=before, limit=limit + 1, **query)
    more = cursor(page[limit - 1].received_at, page[limit - 1].id) if len(page) > limit else None
    return answer({"items": [_item(row) for row in page[:limit]], "next_cursor": more})


@blueprint.get("/api/v1/quarantine/<int:quarantine_id>")
@access(Role.ADMIN)
def show_quarantined(quarantine_id: int) -> Response:
    """One quarantined alert with its bytes: as text where they are UTF-8, and in base64."""
    row = quarantine.select_one(services().pool, _row_id(quarantine_id))
    raw = bytes(row.raw)
    text = raw.decode("utf-8", "replace")
    return answer({**_item(row), "raw": text, "raw_base64": b64encode(raw).decode()})


@blueprint.post("/api/v1/quarantine/<int:quarantine_id>/replay")
@access(Role.ADMIN)
@blueprint.arguments(ReplayBody, location="json")
def replay(body: dict[str, Any], quarantine_id: int) -> Response:
    """Read a kept alert again, or an edited `body` (an object, or text) in its place.

    The alert keeps its time of receipt. The result is recorded; what fails again goes on waiting and answers 422.
    Replaying what was replayed already answers 409.
    """
    return answer(_replay(_row_id(quarantine_id), body["body"]))


@blueprint.post("/api/v1/quarantine/<int:quarantine_id>/discard")
@access(Role.ADMIN)
@blueprint.arguments(DiscardBody, location="json")
def discard(body: dict[str, Any], quarantine_id: int) -> Response:
    """Say why a kept alert needs no replay; the row stays. A second time answers 409."""
    with quarantine.claim(services().pool, _row_id(quarantine_id)) as claim:
        claim.resolve(state="discarded", note=body["reason"])
    return answer({"success": True, "quarantine_id": quarantine_id, "state": "discarded"})


@blueprint.post("/api/v1/quarantine/replay")
@access(Role.ADMIN)
@blueprint.arguments(BulkBody, location="json")
def replay_all(body: dict[str, Any]) -> Response:
    """Replay the oldest waiting items of one reason; each answers for itself."""
    pool = services().pool
    results = []
    for row_id in quarantine.select_waiting_ids(pool, reason=body["reason"], limit=body["limit"]):
        try:
            results.append(_replay(row_id, None))
        except AlertbookError as error:
            if _is_ours(error):
                raise
            details = [detail.as_dict() for detail in error.details]
            failure = {"success": False, "error": error.message, "code": error.code, "details": details}
            results.append({"quarantine_id": row_id, **failure})
    replayed = sum(result["success"] for result in results)
    return answer({"success": True, "replayed": replayed, "failed": len(results) - replayed, "results": results})


def _replay(row_id: int, edited: Any) -> dict[str, Any]:
    """Read the body again and record what came of it; nobody else replays it meanwhile."""
    raw = None if edited is None else mask_bytes(_as_bytes(edited), services().settings.webhook_secrets)
    failed: AlertbookError | None = None
    with quarantine.claim(services().pool, row_id, timeout=2 * _REPLAY_SECONDS) as claim:
        result: dict[str, Any] = {}
        try:
            result = _deliver_again(claim.row, bytes(claim.row.raw) if raw is None else raw)
        except AlertbookError as error:
            if _is_ours(error):
                raise
            failed = error
        if failed is not None:
            claim.record_attempt({"success": False, "code": failed.code, "error": failed.message})
        elif result["success"]:
            claim.resolve(state="replayed", result=result)
        else:
            claim.record_attempt(result)
    if failed is not None:
        raise failed
    return {"quarantine_id": row_id, **result}


def _is_ours(error: AlertbookError) -> bool:
    """Whether a failure says nothing about the body: the database or the server cannot work now."""
    return isinstance(error, DatabaseError | Unavailable) and not isinstance(error, PoisonRow)


def _deliver_again(row: Any, raw: bytes) -> dict[str, Any]:
    delivery = Delivery(row.received_at, row.peer, replay_of=row.id)
    incoming = Incoming(raw, delivery, time.monotonic() + _REPLAY_SECONDS)
    offered, body = take_credentials(alert_object(raw))
    return deliver(services(), incoming, body, taken=" ".join(offered))


def _as_bytes(edited: Any) -> bytes:
    if isinstance(edited, str):
        return edited.encode("utf-8", "replace")
    try:
        return jsontext.dump(edited, ascii_only=True).encode()
    except ValueError:
        detail = Detail("body", "NOT_A_NUMBER", "NaN and Infinity cannot be written as JSON.")
        raise Invalid("The edited body is not JSON.", details=[detail]) from None


def _item(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "received_at": row.received_at,
        "peer": row.peer,
        "reason": row.reason,
        "message": row.message,
        "details": row.details,
        "payload_version": row.payload_version,
        "parser_version": row.parser_version,
        "state": row.state,
        "result": row.result,
        "resolved_at": row.resolved_at,
        "note": row.note,
        "size": row.size,
    }


def _row_id(given: int) -> int:
    """Ids beyond the database's integers are simply not there."""
    return given if given < 2**63 else 0
