"""Lines of an import: webhook bodies, and lines of an export, which are stored again just as they were."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from errors import Detail, Invalid, TooLarge
from handlers import payloads
from handlers.masking import mask_body
from handlers.middleware.bodies import BODY_LIMIT, alert_object
from handlers.payloads.credentials import take_credentials
from handlers.payloads.reading import Reading, Refused
from state import jsontext
from state.event import EventWarning, SignalEvent
from state.newyork import to_new_york
from state.values import number, utc

#: What tells a line of an export from a webhook body.
MARKS: Final = frozenset({"event_key", "event_time_source", "received_at", "payload_version", "body_column"})
_MARKS: Final = (b'"event_key"', b'"body_column"')
#: The key of an alert without any time ends in this, so that importing it again finds it.
IMPORTED: Final = "imported"
CHUNK: Final = 64 * 1024

_TEXTS: Final = {
    "trade_id": 500, "event_type": 100, "payload_version": 100, "event_time_source": 100, "event_key": 500,
    "direction": 100, "bias": 100, "symbol": 100, "exchange": 100, "timeframe": 100, "strategy_id": 100,
    "strategy_name": 100, "session": 100, "exit_reason": 2000,
}  # fmt: skip
_NEEDED: Final = ("trade_id", "payload_version", "event_time_source", "event_key")
_NUMBERS: Final = (
    "entry_price", "stop_loss", "risk_distance", "current_price", "exit_price", "mfe", "be_mfe", "no_be_mfe", "mae",
    "final_mfe", "position_size", "account_size", "risk_percent", "risk_amount",
)  # fmt: skip
_OBJECTS: Final = ("targets", "position")


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes: ...


#: A line of an export holds its body and what was read from it.
LINE_LIMIT: Final = 4 * BODY_LIMIT


def lines(stream: Stream, limit: int = LINE_LIMIT) -> Iterator[bytes | None]:
    """The lines of a stream, without their ends; None stands for one of more than `limit` bytes."""
    rest, skipping = b"", False
    while piece := stream.read(CHUNK):
        parts = (rest + piece).split(b"\n")
        rest = parts.pop()
        for part in parts:
            yield None if skipping or len(part) > limit else part
            skipping = False
        if len(rest) > limit:
            rest, skipping = b"", True
    if rest or skipping:
        yield None if skipping else rest


def read_line(line: bytes, context: payloads.Context, secrets: Sequence[str]) -> Reading:
    """What one line says, without the webhook's secrets wherever they stand. Raises NotJson, Invalid, TooLarge."""
    if all(mark in line for mark in _MARKS):
        value = _exported(line)
        if value is not None:
            value, _ = mask_body(value, line, secrets)
            return Reading(str(value["payload_version"]), "legacy", None, (_event(value),))
    if len(line) > BODY_LIMIT:
        raise TooLarge(f"The body has {len(line)} bytes; at most {BODY_LIMIT} are taken.")
    offered, body = take_credentials(alert_object(line), line)
    body, _ = mask_body(body, line, secrets, taken=" ".join(offered))
    reading = payloads.read(body, context)
    return Reading(
        reading.version, reading.style, reading.schema_version, tuple(_lasting(one) for one in reading.outcomes)
    )


def _exported(line: bytes) -> dict[str, Any] | None:
    """The line as one of an export, or None when it is none; its bounds are wider than a body's."""
    try:
        value = jsontext.parse(
            line.decode("utf-8-sig"), max_depth=2 * jsontext.MAX_DEPTH, max_keys=4 * jsontext.MAX_KEYS
        )
    except (UnicodeDecodeError, jsontext.JsonTextError):
        return None
    return value if isinstance(value, dict) and value.keys() >= MARKS else None


def _lasting(outcome: SignalEvent | Refused) -> SignalEvent | Refused:
    """An alert without a time of its own under a key that importing it again gives too."""
    if isinstance(outcome, Refused) or outcome.has_own_time:
        return outcome
    return replace(outcome, event_key=f"{outcome.body_hash}@{IMPORTED}")


def _event(line: Mapping[str, Any]) -> SignalEvent:
    """The event of a line of an export. Raises Invalid naming every field that no export holds."""
    wrong: list[Detail] = []
    values: dict[str, Any] = {}
    for name, longest in _TEXTS.items():
        values[name] = _text(line.get(name), name, longest, wrong)
    for name in _NUMBERS:
        values[name] = _number(line.get(name), name, wrong)
    for name in ("event_timestamp", "received_at"):
        values[name] = _time(line.get(name), name, wrong)
    for name in _OBJECTS:
        values[name] = _object(line.get(name), name, wrong)
    column = "telemetry" if line["body_column"] == "telemetry" else "legacy_payload"
    values[column] = _object(line.get("body"), "body", wrong)
    warnings = _warnings(line.get("warnings"), wrong)
    for name in _NEEDED:
        if not values[name]:
            wrong.append(Detail(name, "MISSING", f"A line of an export has {name}."))
    if wrong:
        raise Invalid("This line of an export was changed and cannot be read.", code="INVALID_EXPORT", details=wrong)
    return SignalEvent(**{**values, "event_type": values["event_type"] or ""}, warnings=warnings)


def _text(value: Any, name: str, longest: int, wrong: list[Detail]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > longest or not _storable(value):
        wrong.append(Detail(name, "NOT_TEXT", f"{name} is text of at most {longest} characters."))
        return None
    return value


def _storable(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= one <= "\udfff" for one in text)


def _number(value: Any, name: str, wrong: list[Detail]) -> Decimal | None:
    found = number(value)
    if value is not None and (found is None or isinstance(value, str)):
        wrong.append(Detail(name, "NOT_A_NUMBER", f"{name} is a number."))
    return found


def _time(value: Any, name: str, wrong: list[Detail]) -> datetime | None:
    try:
        found = utc(datetime.fromisoformat(value))
        to_new_york(found)  # which the calendar's first and last hours do not have
        return found
    except (TypeError, ValueError, OverflowError):
        wrong.append(Detail(name, "UNREADABLE_TIME", f"{name} is an ISO 8601 time with an offset."))
        return None


def _object(value: Any, name: str, wrong: list[Detail]) -> dict[str, Any] | None:
    if isinstance(value, dict) and jsontext.holds_nan(value):
        wrong.append(Detail(name, "NOT_A_NUMBER", f"{name} holds NaN or Infinity, which no export does."))
        return None
    if value is None or isinstance(value, dict):
        return value
    wrong.append(Detail(name, "NOT_AN_OBJECT", f"{name} is an object."))
    return None


def _warnings(value: Any, wrong: list[Detail]) -> tuple[EventWarning, ...]:
    try:
        return tuple(EventWarning(str(one["field"]), str(one["code"]), str(one["message"])) for one in value or ())
    except (TypeError, KeyError):
        wrong.append(Detail("warnings", "NOT_WARNINGS", "warnings is a list of field, code and message."))
        return ()
