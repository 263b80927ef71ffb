"""Pages of lists whose rows have whole numbers as ids, and keys by which a repeated request is known."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import marshmallow as ma
from flask import request

from errors import Detail, Invalid
from handlers.queries import Cursor, cursor
from state import jsontext

_MAX_ID: Final = 2**63


class IdCursor(Cursor):
    """The place in a list where the page before ended: a time and a whole number."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[datetime, str]:
        at, row_id = super()._deserialize(value, attr, data, **kwargs)
        if not (row_id.isascii() and row_id.isdigit() and int(row_id[:30]) < _MAX_ID):
            raise ma.ValidationError("not a cursor of this list: take next_cursor as it was answered")
        return at, row_id


class IdPageQuery(ma.Schema):
    """A page of a list."""

    limit = ma.fields.Integer(load_default=200, validate=ma.validate.Range(1, 1000))
    cursor = IdCursor(load_default=None)


def next_cursor(rows: Sequence[Any], limit: int) -> str | None:
    """The cursor after a page, when one row more than the page holds was read."""
    return cursor(rows[limit - 1].created_at, rows[limit - 1].id) if len(rows) > limit else None


def idempotency_key() -> str | None:
    """The Idempotency-Key header of this request, or None. Raises Invalid when it is no key."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not (1 <= len(key) <= 200 and key.isascii() and key.isprintable()):
        detail = Detail("Idempotency-Key", "INVALID", "must have 1 to 200 printable ASCII characters")
        raise Invalid(f"Idempotency-Key: {detail.message}", details=[detail])
    return key


def request_hash(*parts: Any) -> str:
    """What a request asked for, as a digest: the same key with another one is a conflict."""
    return hashlib.sha256(jsontext.dump(parts, sort_keys=True, ascii_only=True).encode()).hexdigest()
