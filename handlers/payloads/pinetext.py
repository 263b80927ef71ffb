"""PineConnector's line of text, `ID,command,SYMBOL,key=value,...`, as an object that can be stored.

The object has one field, FIELD, with the line as it was sent but for its ID and its secret.
"""

import re
from typing import Any, Final

from handlers.payloads.credential_names import NAMES, OFFERED, bare

FIELD: Final = "pineconnector"

#: Commas part the line, but not inside quotes.
_PIECE: Final = re.compile(r'(?:[^,"]|"[^"]*"?)+')
#: A placeholder that was left may stand for the command or the symbol, to be refused by its name.
_LEFT: Final = r"\{\{[^{},\r\n]{1,100}\}\}"
_LINE: Final = re.compile(
    rf"\s*[A-Za-z0-9_*-]{{1,64}}\s*,\s*(?:[A-Za-z]{{2,40}}|{_LEFT})\s*,"
    rf"\s*(?:[^,={{}}\s]|{_LEFT}){{1,100}}\s*(?:,[^\r\n]*)?\s*"
)
_COMMAND: Final = re.compile(r"(?:buy|sell|long|short|close|cancel|new)[a-z]{0,40}")
_ID: Final = re.compile(r"^([ \t]*)[A-Za-z0-9_*-]{1,64}(?=[ \t]*,[ \t]*[A-Za-z{])", re.MULTILINE)


def pieces(line: str) -> list[str]:
    """The parts of a line, without blanks around them; empty ones are left out."""
    return [piece.strip() for piece in _PIECE.findall(line) if piece.strip()]


def pair(piece: str) -> tuple[str, str] | None:
    """Name (lower case) and value (without quotes) of key=value, or None."""
    name, sign, value = piece.partition("=")
    return (name.strip().lower(), value.strip().strip('"').strip()) if sign else None


def is_command(piece: str) -> bool:
    """Whether a part is the command of a line."""
    return _COMMAND.fullmatch(piece.strip().lower()) is not None


def without_credentials(line: str) -> str:
    """The line without what stands before its command (the ID), and without its secret."""
    parts = pieces(line)
    start = next((place for place, piece in enumerate(parts[:2]) if is_command(piece)), 1 if len(parts) > 2 else 0)
    kept = [piece for piece in parts[start:] if (named := pair(piece)) is None or bare(named[0]) not in NAMES]
    return ",".join(kept)


def without_ids(text: str) -> str:
    """A text that is no such line, *** in place of whatever stands where a line has its ID."""
    return _ID.sub(r"\1***", text)


def as_object(text: str) -> dict[str, Any] | None:
    """The object of a line, its secret beside it as a body's `secret`; None when the text is no such line."""
    if _LINE.fullmatch(text) is None:
        return None
    named = [found for piece in pieces(text) if (found := pair(piece)) is not None]
    return {FIELD: text.strip(), **{name: value for name, value in named if name in OFFERED}}
