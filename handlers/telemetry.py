"""What trading scripts record of themselves: one batch per request."""

import hashlib
import re
import time
from datetime import UTC, datetime
from typing import Any, Final

from flask import Response, request

from database import hot
from database.telemetry import insert_batch
from errors import Detail, Invalid, NotJson
from handlers.blueprint import Blueprint
from handlers.middleware.access import Execution, Role, access
from handlers.middleware.answers import answer
from handlers.middleware.bodies import read_body, unpacked
from handlers.services import services
from handlers.telemetry_kinds import DESCRIPTION
from state import jsontext
from state.telemetry.records import RecordError, Row, read_record

blueprint = Blueprint("telemetry", __name__, description="What trading scripts record of themselves.")

MAX_RECORDS: Final = 5_000
PACKED_LIMIT: Final = 4 * 1024 * 1024
UNPACKED_LIMIT: Final = 16 * 1024 * 1024
_BATCH_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}")
#: Other requests get their turn after so many lines.
_LINES_AT_ONCE: Final = 200


@blueprint.post("/api/v1/telemetry/ingest")
@access(Role.WRITE, Execution.OBSERVE_ONLY)
@blueprint.doc(**DESCRIPTION)
def ingest() -> Response:
    """Take one batch of records: NDJSON, plain or gzip, up to 5,000 lines and 16 MiB unpacked.

    Every line is {kind, profile_id, timestamp, ...}; kinds are breakout_signal, breakout_outcome, equity, order,
    latency and health. A line that cannot be taken is named in `rejected` and keeps no other from being taken.
    Idempotent by X-Batch-Id: the same batch again stores nothing and answers `duplicate: true` with the number that
    the first delivery stored; the same id with another body is a 409. Without the header the body's own digest is
    the id. The answer comes after the records are durable.
    """
    body = unpacked(read_body(PACKED_LIMIT), request.headers.get("Content-Encoding", ""), UNPACKED_LIMIT)
    digest = hashlib.sha256(body).hexdigest()
    batch_id = _batch_id(digest)
    now = datetime.now(UTC)
    rows, rejected = _read_lines(body, now)
    stored = insert_batch(services().pool, rows, batch_id=batch_id, body_hash=digest, now=now)
    if not stored.duplicate:
        hot.store(services().settings.redis_url).put(rows, batch_id)
    return answer({"accepted": stored.accepted, "rejected": rejected, "duplicate": stored.duplicate})


def _batch_id(digest: str) -> str:
    given = request.headers.get("X-Batch-Id")
    if given is None:
        return f"sha256:{digest}"
    if not _BATCH_ID.fullmatch(given):
        wanted = "must be 1 to 100 letters, digits, dots, colons, dashes or underscores"
        raise Invalid(f"X-Batch-Id {wanted}.", details=[Detail("X-Batch-Id", "INVALID", wanted)])
    return given


def _read_lines(body: bytes, now: datetime) -> tuple[list[Row], list[dict[str, Any]]]:
    """The rows of the good lines, and what is wrong with the others ({line, error}, lines counted from 1)."""
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    if not lines:
        raise NotJson("The body is empty: send one JSON object per line.")
    if len(lines) > MAX_RECORDS:
        raise Invalid(f"The batch has {len(lines)} records; at most {MAX_RECORDS} are taken.", code="TOO_MANY_RECORDS")
    rows: list[Row] = []
    rejected: list[dict[str, Any]] = []
    for place, (number, line) in enumerate(lines, 1):
        try:
            rows.append(_read_line(line, now))
        except (RecordError, jsontext.JsonTextError) as error:
            rejected.append({"line": number, "error": str(error)})
        if place % _LINES_AT_ONCE == 0:
            time.sleep(0)
    return rows, rejected


def _read_line(line: bytes, now: datetime) -> Row:
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RecordError("the line is not UTF-8 text") from None
    return read_record(jsontext.parse(text, max_depth=8, max_keys=200), now=now)
