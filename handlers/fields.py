"""Fields of request bodies and query parameters that marshmallow would read too loosely."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import marshmallow as ma

_PLAIN_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
MAX_DIGITS: Final = 64


class Exact(ma.fields.Field[Decimal]):
    """A number as Decimal, from a JSON number or a plain decimal string; never true, NaN, "1,000" or "1_000".

    `places` bounds the digits after the point: more of them are an error, nothing is ever rounded.
    """

    def __init__(
        self,
        *,
        low: Decimal | int | None = None,
        high: Decimal | int | None = None,
        above: Decimal | int | None = None,
        places: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.low, self.high, self.above, self.places = low, high, above, places
        self.metadata = {"type": "number", **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Decimal:
        number = self._number(value)
        if self.low is not None and number < self.low:
            raise ma.ValidationError(f"must be at least {self.low}")
        if self.above is not None and number <= self.above:
            raise ma.ValidationError(f"must be more than {self.above}")
        if self.high is not None and number > self.high:
            raise ma.ValidationError(f"must be at most {self.high}")
        if self.places is not None and number != round(number, self.places):
            raise ma.ValidationError(f"has more than {self.places} digits after the point")
        return number

    @staticmethod
    def _number(value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            raise ma.ValidationError("must be a number")
        if isinstance(value, str) and not _PLAIN_NUMBER.fullmatch(value.strip(" ")):
            raise ma.ValidationError("must be a plain number, such as 1234.5")
        number = Decimal(value.strip(" ") if isinstance(value, str) else value)
        if not number.is_finite():
            raise ma.ValidationError("must be a number")
        if len(number.as_tuple().digits) > MAX_DIGITS or abs(number.adjusted()) > MAX_DIGITS:
            raise ma.ValidationError(f"has more than {MAX_DIGITS} digits")
        return number


class Text(ma.fields.String):
    """Text of bounded length that PostgreSQL can hold: no NUL, no halves of characters. Blank ends are removed."""

    def __init__(self, low: int = 0, high: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high
        self.metadata = {"minLength": low, "maxLength": high, **self.metadata}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs)).strip()
        if len(text) < self.low:
            raise ma.ValidationError("must not be empty" if self.low == 1 else f"needs at least {self.low} characters")
        if len(text) > self.high:
            raise ma.ValidationError(f"has {len(text)} characters; at most {self.high} are taken")
        if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise ma.ValidationError("holds a character that cannot be stored")
        return text


class Yes(ma.fields.Boolean):
    """True or false, as JSON or as a form's word (true, false, 1, 0, yes, no, on, off)."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, bool | str):
            raise ma.ValidationError("must be true or false")
        return super()._deserialize(value.strip().lower() if isinstance(value, str) else value, attr, data, **kwargs)
