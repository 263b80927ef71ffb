"""Credentials in text that nobody can parse: a name, in quotes or not, escaped or not, and what follows it."""

import re
from typing import Final

from handlers.payloads.credential_names import bare

_NAME: Final = r"(?:[A-Za-z0-9_\-]|\\{1,8}u00[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2})"
_FIELD: Final = re.compile(
    rf"(?P<quote>\\{{0,8}}[\"']|(?<![\w%\\-]))(?P<name>{_NAME}{{3,120}}?)(?P=quote)\s{{0,20}}(?P<sign>[:=])\s{{0,20}}"
)
_ESCAPED: Final = re.compile(r"\\{1,8}u00([0-9A-Fa-f]{2})|%([0-9A-Fa-f]{2})")
_QUOTE: Final = re.compile(r"(\\{0,8})([\"'])")
_BARE: Final = re.compile(r"[^,}\]&\s\"']*")
MASK: Final = "***"


def mask_text(text: str, names: frozenset[str]) -> str:
    """The text, the values of all fields with one of these names replaced by ***."""
    pieces, done = [], 0
    for found in _FIELD.finditer(text):
        if found.start() < done or bare(_plain(found["name"])) not in names:
            continue
        end, quote = _value(text, found.end())
        if quote is None:
            quote = '"' if found["sign"] == ":" else ""
        pieces += [text[done : found.end()], quote, MASK, quote]
        done = end
    return "".join([*pieces, text[done:]])


def _plain(name: str) -> str:
    return _ESCAPED.sub(lambda one: chr(int(one[1] or one[2], 16)), name)


def _value(text: str, start: int) -> tuple[int, str | None]:
    """Where a value ends, and its quotes if it has some; what is not ended goes to the end of the text."""
    quoted = _QUOTE.match(text, start)
    if quoted is not None:
        return _closing(text, quoted.end(), quoted[1], quoted[2]), quoted[0]
    if text[start : start + 1] in ("{", "["):
        return _closing_bracket(text, start), None
    bare_value = _BARE.match(text, start)
    return (start if bare_value is None else bare_value.end()), None


def _closing(text: str, start: int, escapes: str, mark: str) -> int:
    """The end of a quoted value: a quote within it has more backslashes than those around it."""
    end = text.find(mark, start)
    while end >= 0:
        before = _backslashes(text, start, end)
        if before == len(escapes) or (not escapes and before % 2 == 0):
            return end + 1
        end = text.find(mark, end + 1)
    return len(text)


def _backslashes(text: str, start: int, end: int) -> int:
    """How many stand right before `end`, none before `start`: a walk back, since a slice at each quote of a long
    value would cost the square of its length."""
    first = end
    while first > start and text[first - 1] == "\\":
        first -= 1
    return end - first


_STEP: Final = re.compile(r'[{}\[\]]|\\{0,8}"(?:[^"\\]|\\.)*"?')


def _closing_bracket(text: str, start: int) -> int:
    depth = 0
    for step in _STEP.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(step[0], 0)
        if depth == 0:
            return step.end()
    return len(text)
