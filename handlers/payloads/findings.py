"""What was noticed while reading one alert: all faults together, and what its sender should know."""

import math
from typing import Any, Final

from errors import Detail, Invalid
from state import vocabulary
from state.event import EventWarning
from state.jsontext import plain

#: A hostile body can hold thousands of faults; its sender is told of the first ones.
MAX_FINDINGS: Final = 50

#: Code points that PostgreSQL's jsonb (NUL) or UTF-8 (lone surrogates) cannot hold.
REPLACEMENT: Final = "\ufffd"
UNSTORABLE: Final = {0: REPLACEMENT, **dict.fromkeys(range(0xD800, 0xE000), REPLACEMENT)}


def storable(text: str) -> str:
    """The text with NUL and lone surrogates replaced by U+FFFD."""
    return text if text.isascii() and "\0" not in text else text.translate(UNSTORABLE)


def shown(value: Any, limit: int = 40) -> str:
    """A value as a sentence can quote it: storable and at most about `limit` characters."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 256:
        return "a huge number"
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else "Infinity" if math.isinf(value) else repr(value)
    text = storable(value) if isinstance(value, str) else str(value)
    text = text if len(text) <= limit else f"{text[:limit]}..."
    return f'"{text}"' if isinstance(value, str) else text


class Findings:
    """Collects faults and warnings of one alert; faults are raised together."""

    def __init__(self) -> None:
        self.details: list[Detail] = []
        self.warnings: list[EventWarning] = []
        self._wrong: set[str] = set()
        self._warned: set[str] = set()

    def wrong(self, field: str, code: str, message: str) -> None:
        """Note a fault that refuses the alert; the first one of a field is told."""
        if field not in self._wrong and len(self.details) < MAX_FINDINGS:
            self._wrong.add(field)
            self.details.append(Detail(storable(field), code, message))

    def warn(self, field: str, code: str, message: str) -> None:
        """Note something that the sender should know about an accepted alert."""
        self._warned.add(field)
        if len(self.warnings) < MAX_FINDINGS:
            self.warnings.append(EventWarning(storable(field), code, message))

    def warn_once(self, field: str, code: str, message: str) -> None:
        """As `warn`, unless this field already has a warning."""
        if field not in self._warned:
            self.warn(field, code, message)

    def raise_if_wrong(self) -> None:
        """Raise Invalid with every fault found; an event name as the only fault has its own code."""
        if not self.details:
            return
        code = "INVALID_PAYLOAD"
        if [detail.code for detail in self.details] == ["UNKNOWN_EVENT_TYPE"]:
            code = "UNKNOWN_EVENT_TYPE"
        message = self.details[0].message
        if len(self.details) > 1:
            message = f"{len(self.details)} fields of this alert are wrong; details names each of them."
        raise Invalid(message, code=code, details=self.details)


def event_names() -> str:
    """The accepted event names as a sentence lists them."""
    return ", ".join(dict.fromkeys((*vocabulary.EVENT_TYPES, *vocabulary.EVENT_NAMES)))


def number_text(value: Any) -> str:
    """A number as a field of text holds it, in plain digits."""
    return str(value) if isinstance(value, int) else plain(value)
