"""Query parameters that several resources share, checked and turned into values."""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import marshmallow as ma
from marshmallow import fields, validate

from state.newyork import NEW_YORK
from state.vocabulary import BEARISH, BULLISH, SESSIONS, canonical_direction, canonical_session

STATUSES: Final = ("UNKNOWN", "PENDING", "ACTIVE", "BE_PROTECTED", "COMPLETED", "CANCELLED")


class Instant(fields.Field[datetime]):
    """An ISO 8601 time with offset, or a date, which is a New York day (its first instant, or its end)."""

    def __init__(self, *, end_of_day: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.end_of_day = end_of_day

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        text = str(value).strip().replace(" ", "+")  # a plus sign in an address reads as a space
        try:
            if len(text) == 10 and text.isascii():
                day = date.fromisoformat(text) + timedelta(days=int(self.end_of_day))
                instant = NEW_YORK.localize(datetime.combine(day, time()))
            else:
                instant = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            raise ma.ValidationError("not a date (2026-01-31) or a time (2026-01-31T09:30:00-05:00)") from None
        if instant.tzinfo is None:
            raise ma.ValidationError("a time needs an offset, such as Z or -05:00")
        if not 2000 <= instant.year <= 2100:
            raise ma.ValidationError("the year must lie between 2000 and 2100")
        return instant.astimezone(UTC)


class Cursor(fields.Field[tuple[datetime, str]]):
    """The opaque place in a list where the page before ended: a time and an id."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[datetime, str]:
        try:
            at, _, row_id = base64.b64decode(str(value), altchars=b"-_", validate=True).decode().partition("|")
            instant = datetime.fromisoformat(at)
        except (binascii.Error, ValueError):
            raise ma.ValidationError("not a cursor of this list: take next_cursor as it was answered") from None
        if instant.tzinfo is None or not row_id or "\x00" in row_id:
            raise ma.ValidationError("not a cursor of this list: take next_cursor as it was answered")
        return instant, row_id


def cursor(at: datetime, row_id: object) -> str:
    """The opaque text of a place in a list."""
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{row_id}".encode()).decode()


class RowCursor(Cursor):
    """The place in a list whose ids are numbers."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[datetime, str]:
        at, row_id = super()._deserialize(value, attr, data, **kwargs)
        if not (row_id.isascii() and row_id.isdigit() and len(row_id) < 19):
            raise ma.ValidationError("not a cursor of this list: take next_cursor as it was answered")
        return at, row_id


class Direction(fields.Field[str]):
    """Bullish or Bearish, in any spelling that alerts may use."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        direction = canonical_direction(str(value))
        if direction is None:
            raise ma.ValidationError(f"must be {BULLISH} (or LONG) or {BEARISH} (or SHORT)")
        return direction


class Session(fields.Field[str]):
    """A session of the New York day, in any spelling that alerts may use."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        session = canonical_session(str(value))
        if session is None:
            raise ma.ValidationError(f"must be one of {', '.join(SESSIONS)}")
        return session


class Statuses(fields.Field[list[str]]):
    """One status or several, separated by commas, in any case."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[str]:
        wanted = [part.strip().upper() for part in str(value).split(",")]
        if not all(part in STATUSES for part in wanted):
            raise ma.ValidationError(f"must be of {', '.join(STATUSES)}")
        return wanted


class PageQuery(ma.Schema):
    """A page of a list."""

    limit = fields.Integer(load_default=100, validate=validate.Range(1, 1000))
    cursor = Cursor(load_default=None)


class RowPageQuery(PageQuery):
    """A page of a list whose ids are numbers."""

    cursor = RowCursor(load_default=None)


class TradeFilters(ma.Schema):
    """Which trades: every filter is optional. The time of a trade is its entry's, or its first event's."""

    status = Statuses(load_default=None)
    direction = Direction(load_default=None)
    session = Session(load_default=None)
    symbol = fields.String(load_default=None, validate=validate.Length(1, 100))
    strategy = fields.String(data_key="strategy_id", load_default=None, validate=validate.Length(1, 100))
    since = Instant(data_key="from", load_default=None)
    until = Instant(data_key="to", load_default=None, end_of_day=True)


class TradesQuery(TradeFilters, PageQuery):
    """A page of trades."""


class AsOfQuery(ma.Schema):
    """A trade as it was at a time, and as it was known at a time."""

    as_of = Instant(load_default=None, end_of_day=True)
    known_at = Instant(load_default=None, end_of_day=True)
