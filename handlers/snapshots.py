"""The day's snapshot coming in."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pytz
from flask import Response, request

from database.snapshots import Prepared, prepare, store
from errors import Conflict, Detail, Invalid, Unauthenticated
from handlers.aside import aside
from handlers.blueprint import Blueprint
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.middleware.bodies import json_object, read_body, unpacked
from handlers.middleware.request_id import current_id
from handlers.services import services
from state.snapshot import Snapshot, Verdict, stamp
from state.snapshot_reading import normalise
from state.snapshot_values import localiser

blueprint = Blueprint("snapshots", __name__, description="Daily snapshots coming in.")

BODY_LIMIT: Final = 8 * 1024 * 1024
#: 50,000 points of four names, 20,000 extremes of twenty.
MAX_KEYS: Final = 600_000
#: More than these are counted in the answer, not listed.
LISTED_DROPS: Final = 1_000

_DESCRIPTION: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["date"],
                    "properties": {
                        "date": {"type": "string", "format": "date"},
                        "updated_at": {"type": "string", "format": "date-time"},
                        "headline": {"type": "string"},
                        "summary": {"type": "string"},
                        "source": {"type": "string"},
                        "allow_empty": {"type": "boolean"},
                        "rows": {"type": "array", "items": {"type": "object"}},
                        "overlay": {"type": "object"},
                    },
                }
            }
        },
    }
}


@blueprint.post("/v1/internal/trades/snapshot")
@access(Role.INTERNAL, Execution.OBSERVE_ONLY)
@blueprint.doc(**_DESCRIPTION)
def post_snapshot() -> Response:
    """Store the snapshot of a day in place of the one before, whole or not at all.

    At most 8 MiB, also when unpacked from gzip, and 50,000 points. With SIGNING_SECRET set, X-Signature must be the hex
    HMAC-SHA256 of the body's bytes as sent. What is not taken is listed in `dropped` (the first 1,000) and counted in
    `dropped_count`. Sending the same snapshot again changes nothing and answers the same; one with an older
    `updated_at` than the stored one, or an empty one in place of data without `allow_empty`, is refused with 409.
    """
    body = read_body(BODY_LIMIT)
    _check_signature(body)
    encoding = request.headers.get("Content-Encoding", "")
    zone = services().settings.naive_timestamp_zone
    now = datetime.now(UTC)
    snapshot, prepared = aside(lambda: _read(body, encoding, zone, now))
    verdict = store(services().pool, prepared)
    if verdict is Verdict.OLDER:
        raise Conflict("A newer snapshot of this date is stored already.", code="OLDER_SNAPSHOT")
    if verdict is Verdict.EMPTY:
        raise Conflict(
            "This snapshot is empty and the stored one is not; send allow_empty to replace it.", code="EMPTY_SNAPSHOT"
        )
    return answer(
        {
            "ok": True,
            "date": snapshot.date,
            "updated_at": stamp(snapshot.updated_at),
            "request_id": current_id(),
            "counts": snapshot.counts._asdict(),
            "dropped": [drop._asdict() for drop in snapshot.dropped[:LISTED_DROPS]],
            "dropped_count": len(snapshot.dropped),
        }
    )


def _check_signature(body: bytes) -> None:
    """Raises Unauthenticated unless X-Signature fits one of the signing secrets, where there are any."""
    given = request.headers.get("X-Signature", "").strip().lower().encode("utf-8", "surrogateescape")
    secrets = services().settings.signing_secrets
    right = not secrets
    for secret in secrets:
        right |= hmac.compare_digest(given, hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode())
    if not right:
        raise Unauthenticated("Missing or wrong X-Signature: the hex HMAC-SHA256 of the body is needed.")


def _read(body: bytes, encoding: str, zone: str, now: datetime) -> tuple[Snapshot, Prepared]:
    text = unpacked(body, encoding, BODY_LIMIT)
    value = json_object(text, max_keys=MAX_KEYS)
    if b"\\u" in text and (path := _unstorable(value)) is not None:
        raise Invalid(
            "The snapshot holds a character that cannot be stored.",
            code="INVALID_SNAPSHOT",
            details=[Detail(path, "INVALID", "holds a character that cannot be stored")],
        )
    snapshot = normalise(value, now=now, localise=localiser(pytz.timezone(zone)))
    return snapshot, prepare(snapshot)


def _unstorable(value: Any, path: str = "") -> str | None:
    """The path of a text (or of the object with a name) that holds NUL or half a character; None without one."""
    if isinstance(value, str):
        return path if "\x00" in value or not _is_whole(value) else None
    inner = ()  # type: Any
    if isinstance(value, Mapping):
        if any(_unstorable(name) is not None for name in value):
            return path
        inner = ((f"{path}.{name}".lstrip("."), item) for name, item in value.items())
    elif isinstance(value, list):
        inner = ((f"{path}[{index}]", item) for index, item in enumerate(value))
    return next((found for place, item in inner if (found := _unstorable(item, place)) is not None), None)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
