"""What the levers' requests share: who acts, and names in their case."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import marshmallow as ma
from flask import request

from database.governance.audit import Who
from errors import Detail, Invalid
from handlers.fields import Exact, Text
from handlers.middleware.access import key_id
from handlers.middleware.request_id import current_id

_NAME: Final = re.compile(r"[A-Za-z0-9_.:/ -]+", re.ASCII)


class Name(Text):
    """The name of an engine, domain or metric: letters, digits and _.:/- , in capitals unless `lower`."""

    def __init__(self, high: int, *, lower: bool = False, **kwargs: Any) -> None:
        super().__init__(1, high, **kwargs)
        self.lower = lower

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        name = super()._deserialize(value, attr, data, **kwargs)
        if not _NAME.fullmatch(name):
            raise ma.ValidationError("may hold letters, digits, blanks and _ . : / - only")
        return name.lower() if self.lower else name.upper()


class Whole(Exact):
    """A whole number; 1.5, "many" and true are none."""

    def __init__(self, low: int, high: int, **kwargs: Any) -> None:
        super().__init__(low=low, high=high, places=0, **kwargs)
        self.metadata = {**self.metadata, "type": "integer"}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return int(super()._deserialize(value, attr, data, **kwargs))


class Anything(ma.fields.Raw):
    """Any JSON value that PostgreSQL can hold: no NUL, no halves of characters, no NaN."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        _check(value)
        return value


def _check(value: Any) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _check(name)
            _check(inner)
    elif isinstance(value, list):
        for inner in value:
            _check(inner)
    elif isinstance(value, float):
        raise ma.ValidationError("holds a number that is none (NaN or Infinity)")
    elif isinstance(value, str) and ("\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value)):
        raise ma.ValidationError("holds a character that cannot be stored")


class Acting(ma.Schema):
    """Who does it, as `actor` or `changed_by`, and why."""

    actor = Text(1, 200, load_default=None, allow_none=True)
    changed_by = Text(1, 200, load_default=None, allow_none=True)
    reason = Text(0, 1000, load_default=None, allow_none=True)


class Days(ma.Schema):
    """The days from and to, both included, of the trading calendar."""

    since = ma.fields.Date(data_key="from", load_default=None)
    until = ma.fields.Date(data_key="to", load_default=None)


def check_days(since: date | None, until: date | None) -> None:
    """Raise Invalid when the days are in the wrong order."""
    if since is not None and until is not None and since > until:
        raise Invalid("from lies after to.", details=[Detail("from", "INVALID", "lies after to")])


def take_who(given: dict[str, Any], *, required: bool = False) -> Who:
    """Take actor, changed_by and reason out of a request. Raises Invalid when a change names nobody."""
    actor, changed_by, reason = (given.pop(name, None) for name in ("actor", "changed_by", "reason"))
    name = actor or changed_by
    if required and not name:
        detail = Detail("actor", "REQUIRED", "who does this: 1 to 200 characters, as actor or changed_by")
        raise Invalid("actor (or changed_by) is needed: who does this.", details=[detail])
    return Who(name or "api", key_id(), reason or None, current_id())


def idempotency_key() -> str | None:
    """The sender's Idempotency-Key, if there is one. Raises Invalid when it is too long."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > 200:
        detail = Detail("Idempotency-Key", "INVALID", "at most 200 characters")
        raise Invalid("The Idempotency-Key has more than 200 characters.", details=[detail])
    return key or None
