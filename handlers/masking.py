"""Secrets out of bodies, wherever they stand, before anything is stored or logged."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from json import detect_encoding
from typing import Any, Final

from handlers.payloads.credentials import mask_credentials
from state import jsontext
from state.event import EventWarning

MASK: Final = "***"
_ENCODINGS: Final = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "latin-1", "cp1252")
_ESCAPES: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_ENTITIES: Final = {'"': "quot", "&": "amp", "<": "lt", ">": "gt", "'": "apos"}
#: What a disguise needs: without any of these a secret can only stand as it is.
_SIGNS: Final = (b"\\", b"%", b"&", b"\x00")
#: Backslashes and per cent signs may be escaped themselves, as often as JSON stands within JSON.
_BACKSLASH: Final = rb"(?:\\(?:u005[cC])?|%5[cC]){1,8}"
#: The same before anything else than a backslash; in a longer run of them it is not tried at each place.
_ESCAPING: Final = rb"(?!\\{9})" + _BACKSLASH
_PERCENT: Final = rb"(?:%|" + _ESCAPING + rb"u0025)(?:25){0,4}"
_NUMERIC: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
#: Whole runs of digits, each tried once.
_NUMBER: Final = re.compile(rb"(?<![0-9])[0-9]++(?:(?:\.[0-9]++)?[eE][+-]?[0-9]{1,2}|\.[0-9]++)")


def mask_bytes(raw: bytes, secrets: Sequence[str]) -> bytes:
    """A body without secrets, also where the escapes of JSON, addresses or HTML, UTF-16, or an exponent hide them."""
    if not secrets:
        return raw
    masked = _pattern(tuple(secrets)).sub(MASK.encode(), raw)
    numeric = _numeric(tuple(secrets))
    if not numeric:
        return masked
    return _NUMBER.sub(lambda one: MASK.encode() if _tells(Decimal(one[0].decode()), numeric) else one[0], masked)


def mask_raw(raw: bytes, secrets: Sequence[str]) -> bytes:
    """What may be kept of a body that nobody could read: without secrets, and without whatever is named like one."""
    encoding = detect_encoding(raw) if b"\x00" in raw else "utf-8"
    if encoding.startswith("utf-8"):
        return mask_credentials(mask_bytes(raw, secrets))
    text = raw.decode(encoding, "replace").encode()
    masked = mask_credentials(mask_bytes(text, secrets))
    return mask_bytes(raw, secrets) if masked == text else masked.decode().encode(encoding)


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
    known = tuple(secrets)
    if not secrets or not (_numeric(known) or _disguised(raw) or _count(raw, known) > _count(_bytes(taken), known)):
        return dict(body), []
    masked, where = mask_values(body, secrets)
    message = "the webhook secret stood in this field too and was removed"
    return masked, [EventWarning(path, "SECRET_REMOVED", message) for path in where]


def mask_values(value: Any, secrets: Sequence[str], path: str = "") -> tuple[Any, list[str]]:
    """The value with every secret in texts, keys and numbers replaced, and the dotted paths of the places."""
    if isinstance(value, str):
        masked = mask_text(value, secrets) if _may_hold(_bytes(value), tuple(secrets)) else value
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
    if isinstance(value, int | Decimal) and _tells(value, _numeric(tuple(secrets))):
        return MASK, [path]
    return value, []


def _disguised(raw: bytes) -> bool:
    return any(sign in raw for sign in _SIGNS)


def _may_hold(raw: bytes, secrets: tuple[str, ...]) -> bool:
    return _disguised(raw) or _count(raw, secrets) > 0


def _count(raw: bytes, secrets: tuple[str, ...]) -> int:
    return sum(raw.count(secret.encode()) for secret in secrets)


def _bytes(text: object) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else b""


@cache
def _numeric(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """The secrets that a number can spell."""
    return tuple(secret for secret in secrets if _NUMERIC.fullmatch(secret))


def _tells(number: int | Decimal, numeric: tuple[str, ...]) -> bool:
    if not numeric or isinstance(number, bool):
        return False
    exact = Decimal(number)
    return exact.is_finite() and any(secret in jsontext.plain(exact) for secret in numeric)


@cache
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[bytes]:
    """Any of the secrets, each character as itself or escaped; zero bytes between them are UTF-16 or UTF-32."""
    ordered = sorted(secrets, key=len, reverse=True)
    return re.compile(b"|".join(rb"\x00{0,3}".join(map(_character, secret)) for secret in ordered))


def _character(character: str) -> bytes:
    ways = [re.escape(character.encode()), _escape(character), _percent_escape(character), _entity(character)]
    if character in "\"\\/'":
        ways.append(_BACKSLASH if character == "\\" else _ESCAPING + re.escape(character.encode()))
    if not character.isascii():
        ways += [re.escape(character.encode(name)) for name in _ENCODINGS if _fits(character, name)]
    return b"(?:" + b"|".join(ways) + b")"


def _fits(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escape(character: str) -> bytes:
    """A character as JSON and its relatives escape it."""
    units = character.encode("utf-16-be").hex()
    code = f"{ord(character):x}".encode()
    ways = [
        b"".join(
            (_ESCAPING if at else b"") + rb"u(?i:" + units[at : at + 4].encode() + b")"
            for at in range(0, len(units), 4)
        ),
        rb"(?:u\{|U)0{0,8}(?i:" + code + rb")\}?",
    ]
    if ord(character) < 256:
        ways.append(b"x(?i:" + f"{ord(character):02x}".encode() + b")")
    if character in _ESCAPES:
        ways.append(_ESCAPES[character].encode())
    return _ESCAPING + b"(?:" + b"|".join(ways) + b")"


def _percent_escape(character: str) -> bytes:
    return b"".join(_PERCENT + b"(?i:" + f"{byte:02x}".encode() + b")" for byte in character.encode())


def _entity(character: str) -> bytes:
    """A character as HTML escapes it."""
    code = ord(character)
    ways = f"#0{{0,8}}{code}|#[xX]0{{0,8}}(?i:{code:x})" + (
        f"|{_ENTITIES[character]}" if character in _ENTITIES else ""
    )
    return b"&(?:amp;){0,4}(?:" + ways.encode() + b");?"
