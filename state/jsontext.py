"""JSON text to values and back, exactly: every fraction is a Decimal, nothing passes through float.

Reading is bounded (digits, exponents, depth, keys) so that a hostile body costs no more than a
friendly one; writing prints decimals plainly (0.00000012, never 1.2E-7).
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec
import simplejson

MAX_DIGITS: Final = 64
MAX_EXPONENT: Final = 64
MAX_DEPTH: Final = 32
MAX_KEYS: Final = 2_000

_STORED: Final = json.JSONDecoder(parse_float=Decimal)


class JsonTextError(ValueError):
    """The text is not JSON, or not JSON that we take.

    `kind` is "syntax" or "limit", `field` the dotted path of a number past a limit, "" for all else.
    """

    def __init__(self, message: str, kind: str = "syntax", field: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.field = field


def _number(text: str) -> Decimal:
    if len(text) <= MAX_DIGITS and "e" not in text and "E" not in text:
        return Decimal(text)
    mantissa, _, exponent = text.lower().partition("e")
    if sum(character.isdigit() for character in mantissa) > MAX_DIGITS:
        raise JsonTextError(f"a number has more than {MAX_DIGITS} digits", "limit")
    if len(exponent) > 4 or abs(int(exponent or "0")) > MAX_EXPONENT:
        raise JsonTextError(f"a number's exponent is beyond {MAX_EXPONENT}", "limit")
    return Decimal(text)


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise JsonTextError(f"a number has more than {MAX_DIGITS} digits", "limit")
    return int(text)


def _constant(name: str) -> float:
    return float(name.replace("Infinity", "inf"))


def _pairs_hook(max_keys: int) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    seen = 0

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal seen
        seen += len(pairs)
        if seen > max_keys:
            raise JsonTextError(f"more than {max_keys} keys", "limit")
        result = dict(pairs)
        if len(result) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise JsonTextError(f"the key {twice[:100]!r} occurs twice", "limit")
        return result

    return build


def _depth(value: Any, limit: int) -> int:
    """Levels of nesting of `value`, counted no further than just past `limit`."""
    level, layer = 0, [value]
    while layer := [item for item in layer if isinstance(item, dict | list)]:
        level += 1
        if level > limit:
            return level
        layer = [inner for item in layer for inner in (item.values() if isinstance(item, dict) else item)]
    return level


def parse(text: str, *, max_depth: int = MAX_DEPTH, max_keys: int = MAX_KEYS) -> Any:
    """Values of a JSON text: integers are int, other numbers Decimal.

    The bare words NaN and Infinity, which TradingView's templates produce, are read as float so that
    their place can be named; they are never stored. Raises JsonTextError.
    """
    value = _plainly(text, max_depth, max_keys)
    return _carefully(text, max_depth, max_keys) if value is _UNSURE else value


def _plainly(text: str, max_depth: int, max_keys: int) -> Any:
    """Values of a text that is plain to see within all limits, at a third of the cost; of any other, _UNSURE.

    A key that occurs twice is found by its colon, which is gone when what was read is written again: without
    backslashes, all other colons stand in texts and come back.
    """
    if "\\" in text or text.count(":") > max_keys or text.count("{") + text.count("[") > max_depth:
        return _UNSURE
    try:
        sent = text.encode()
        value = _READER.decode(sent)
        written = _WRITER.encode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _UNSURE
    return value if written.count(b":") == sent.count(b":") and _LONG not in sent.translate(_DIGITS) else _UNSURE


def _carefully(text: str, max_depth: int, max_keys: int) -> Any:
    try:
        value = json.loads(
            text,
            parse_float=_number,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_pairs_hook(max_keys),
        )
    except JsonTextError as error:
        raise JsonTextError(str(error), error.kind, _field_past_limits(text)) from None
    except RecursionError:
        raise JsonTextError(f"nested deeper than {max_depth} levels", "limit") from None
    except ValueError as error:
        raise JsonTextError(str(error)) from None
    # no deeper than it has opening brackets, and counting those is cheap
    if text.count("{") + text.count("[") > max_depth and _depth(value, max_depth) > max_depth:
        raise JsonTextError(f"nested deeper than {max_depth} levels", "limit")
    return value


_PAST: Final = object()


def _judge(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Reads a number as `_PAST` where `read` finds it past a limit, else as None."""

    def judge(text: str) -> Any:
        try:
            read(text)
        except JsonTextError:
            return _PAST
        return None

    return judge


def _field_past_limits(text: str) -> str:
    """The dotted path of the first number that is past a limit, "" when there is none."""
    try:
        found = json.loads(text, parse_float=_judge(_number), parse_int=_judge(_integer))
    except (ValueError, RecursionError):
        return ""
    waiting = [("", found)]
    while waiting:
        path, value = waiting.pop()
        if value is _PAST:
            return path
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting += reversed([(f"{path}.{name}" if path else str(name), one) for name, one in inner])
    return ""


_READER: Final = msgspec.json.Decoder(float_hook=_number)
_WRITER: Final = msgspec.json.Encoder(decimal_format="number", order="sorted")
_UNSURE: Final = object()
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
#: Whether so many digits are too many is for the careful way to say: a sign counts.
_LONG: Final = b"0" * MAX_DIGITS


def stored(text: str | bytes) -> Any:
    """Values of JSON text that the database holds: no limits, numbers as in `parse`."""
    return _STORED.decode(text if isinstance(text, str) else text.decode())


def raw(text: str) -> simplejson.RawJSON:
    """JSON text that `dump` writes as it is."""
    return simplejson.RawJSON(text)


def plain(number: Decimal) -> str:
    """A finite Decimal in plain digits, never with an exponent."""
    return format(number, "f")


def written(text: str) -> Any:
    """JSON text as a value that `dump` writes as it is."""
    return simplejson.RawJSON(text)


def written_list(texts: Iterable[str]) -> Any:
    """JSON texts as the list of them, which `dump` writes as it is."""
    return simplejson.RawJSON(f"[{','.join(texts)}]")


def canonical(value: Any) -> str:
    """JSON text of what `parse` gave, keys sorted: the same text for the same body. Raises ValueError as `dump`."""
    return _written(_WRITER, value) or dump(value, sort_keys=True)


def dump_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """`dump` of rows for the database to read: times in UTC may end in Z."""
    return _written(_ROW_WRITER, rows) or dump(rows)


def dump_row(row: Mapping[str, Any]) -> str:
    """One row as `dump_rows` writes it."""
    return _written(_ROW_WRITER, row) or dump(row)


def _written(writer: msgspec.json.Encoder, value: Any) -> str:
    """What `dump` would write, at a quarter of the cost, or "" where only `dump` can write it, or refuse it."""
    if holds_nan(value):
        return ""
    try:
        text = writer.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return ""
    return "" if "E+" in text or "E-" in text else text


def holds_nan(value: Any) -> bool:
    """Whether NaN or Infinity, the only floats that `parse` gives, stand somewhere in an object or a list."""
    for item in value.values() if type(value) is dict else value:
        kind = type(item)
        if kind is float or ((kind is dict or kind is list) and holds_nan(item)):
            return True
    return False


def _raw_text(value: Any) -> Any:
    if isinstance(value, simplejson.RawJSON):
        return msgspec.Raw(value.encoded_json.encode())
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


_ROW_WRITER: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=_raw_text)


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("NaN and Infinity have no place in JSON")
        return simplejson.RawJSON(plain(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def dump(value: Any, *, sort_keys: bool = False, ascii_only: bool = False, indent: int | None = None) -> str:
    """JSON text of plain values, Decimal, dates and times, without spaces; with `indent` set out for reading."""
    text: str = _encoder(sort_keys, ascii_only, indent, str_decimals=True).encode(value)
    if "E+" in text or "E-" in text:  # in a text, or a number that str does not write plainly
        text = _encoder(sort_keys, ascii_only, indent, str_decimals=False).encode(value)
    return text


@cache
def _encoder(sort_keys: bool, ascii_only: bool, indent: int | None, *, str_decimals: bool) -> simplejson.JSONEncoder:
    """Writes decimals as str does, which is fast and nearly always plain, or one by one as `_default` does."""
    return simplejson.JSONEncoder(
        use_decimal=str_decimals,
        default=_default,
        separators=(",", ":") if indent is None else (",", ": "),
        indent=indent,
        sort_keys=sort_keys,
        ensure_ascii=ascii_only,
        allow_nan=False,
        iterable_as_array=False,
        namedtuple_as_object=False,
    )
