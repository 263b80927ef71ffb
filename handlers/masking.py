"""Secrets out of bodies, wherever they stand, before anything is stored or logged."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from state.event import EventWarning

MASK: Final = "***"
_ENCODINGS: Final = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "latin-1", "cp1252")
_ESCAPES: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


def mask_bytes(raw: bytes, secrets: Sequence[str]) -> bytes:
    """A body without secrets, also where JSON's or an address's escapes or UTF-16 hide them."""
    return _pattern(tuple(secrets)).sub(MASK.encode(), raw) if secrets else raw


def mask_text(text: str, secrets: Sequence[str]) -> str:
    """A text without secrets."""
    return mask_bytes(text.encode("utf-8", "surrogatepass"), secrets).decode("utf-8", "replace")


def mask_body(
    body: Mapping[str, Any], raw: bytes, secrets: Sequence[str], *, taken: object = None
) -> tuple[dict[str, Any], list[EventWarning]]:
    """A parsed body without secrets that were echoed in other fields, with a warning for each place.

    `taken` is the value of the secret's own field, which is out of `body` already: a body is only searched where
    its bytes hold a secret more often than that.
    """
    if not secrets or _count(raw, secrets) <= (_count(_bytes(taken), secrets) if isinstance(taken, str) else 0):
        return dict(body), []
    masked, where = mask_values(body, secrets)
    message = "the webhook secret stood in this field too and was removed"
    return masked, [EventWarning(path, "SECRET_REMOVED", message) for path in where]


def mask_values(value: Any, secrets: Sequence[str], path: str = "") -> tuple[Any, list[str]]:
    """The value with every secret in texts and keys replaced, and the dotted paths of the places."""
    if isinstance(value, str):
        masked = value if _count(_bytes(value), secrets) == 0 else mask_text(value, secrets)
        return masked, [path] if masked != value else []
    if isinstance(value, Mapping):
        places: list[str] = []
        result = {}
        for key, inner in value.items():
            name, in_key = mask_values(key, secrets, f"{path}.{MASK}".lstrip("."))
            result[name], inside = mask_values(inner, secrets, f"{path}.{name}".lstrip("."))
            places += in_key + inside
        return result, places
    if isinstance(value, list):
        pairs = [mask_values(inner, secrets, f"{path}[{index}]") for index, inner in enumerate(value)]
        return [inner for inner, _ in pairs], [place for _, inside in pairs for place in inside]
    return value, []


def _count(raw: bytes, secrets: Sequence[str]) -> int:
    return sum(1 for _ in _pattern(tuple(secrets)).finditer(raw))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@cache
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[bytes]:
    """Any of the secrets, each character as itself or escaped; zero bytes between them are UTF-16 or UTF-32."""
    ordered = sorted(secrets, key=len, reverse=True)
    return re.compile(b"|".join(rb"\x00{0,3}".join(map(_character, secret)) for secret in ordered))


def _character(character: str) -> bytes:
    ways = [re.escape(character.encode()), _unicode_escape(character), _percent_escape(character)]
    if character in _ESCAPES:
        ways.append(re.escape(b"\\" + _ESCAPES[character].encode()))
    if character in '"\\/':
        ways.append(re.escape(b"\\" + character.encode()))
    if not character.isascii():
        ways += [re.escape(character.encode(name)) for name in _ENCODINGS if _fits(character, name)]
    return b"(?:" + b"|".join(ways) + b")"


def _fits(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _unicode_escape(character: str) -> bytes:
    units = character.encode("utf-16-be").hex()
    return b"".join(rb"\\u(?i:" + units[at : at + 4].encode() + b")" for at in range(0, len(units), 4))


def _percent_escape(character: str) -> bytes:
    return b"".join(b"%(?i:" + f"{byte:02x}".encode() + b")" for byte in character.encode())
