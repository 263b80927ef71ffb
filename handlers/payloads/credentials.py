"""Credentials of alerts: taken out before anything is stored, and offered to the webhook's check."""

from collections.abc import Mapping
from typing import Any, Final

from handlers.payloads import pinetext
from handlers.payloads.credential_names import NAMES, OFFERED, TELEMETRY_NAMES, bare
from handlers.payloads.credential_text import mask_text

#: Those names that hold no other one: where none of these occurs, none of all does.
_NAMES_AS_SENT: Final = tuple(
    name.encode() for name in sorted(NAMES) if not any(other in name for other in NAMES - {name})
)
#: What tells telemetry, whose schema may name a field `key` or `token`.
_TELEMETRY: Final = ("schema_version", "attributes")


def take_credentials(body: Mapping[str, Any], raw: bytes | None = None) -> tuple[list[str], dict[str, Any]]:
    """The texts that the body offers as the webhook's secret, and the body without its credentials.

    `raw` is the body as it came, where that is known: most cannot name a credential, and need no search.
    """
    if raw is not None and _cannot_name_any(raw):
        return [], dict(body)
    offered = _offers(body)
    for name in ("attributes", "strategy"):
        inside = body.get(name)
        if isinstance(inside, Mapping):
            offered += _offers(inside)
    if any(body.get(name) for name in _TELEMETRY):
        return offered, _without(body, TELEMETRY_NAMES)
    return offered, without_credentials(body)


def _cannot_name_any(raw: bytes) -> bool:
    """True for plain JSON in which no credential's name occurs; escapes and other alphabets may hide one."""
    if b"\\" in raw or not raw.isascii() or not raw.lstrip().startswith((b"{", b"[")):
        return False
    folded = raw.lower().translate(None, b"_-")
    return all(name not in folded for name in _NAMES_AS_SENT)


def _offers(values: Mapping[str, Any]) -> list[str]:
    """A secret of digits may come as a number, as any value may."""
    return [str(value) for name, value in values.items() if bare(name) in OFFERED and type(value) in (str, int)]


def without_credentials(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body without every field that is named like a credential, wherever it stands."""
    kept = _without(body, NAMES)
    text = kept.get(pinetext.FIELD)
    if isinstance(text, str):
        kept[pinetext.FIELD] = pinetext.without_credentials(text)
    return kept


def _without(values: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: _inside(value, names) for name, value in values.items() if bare(name) not in names}


def _inside(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return _without(value, names)
    if isinstance(value, list):
        return [_inside(inner, names) for inner in value]
    if isinstance(value, str) and ":" in value and ('"' in value or "'" in value):
        return mask_text(value, names)  # JSON within a text
    return value


def mask_credentials(raw: bytes) -> bytes:
    """A body as it came, the values of its credentials replaced by ***: what is kept where nothing could be read."""
    if pinetext.as_object(raw.decode("utf-8-sig", "replace")) is not None:
        return f"***,{pinetext.without_credentials(raw.decode('utf-8-sig', 'replace'))}".encode()
    text = raw.decode("utf-8", "surrogateescape")
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        text = pinetext.without_ids(text)
    telemetry = any(f'"{name}"' in text for name in _TELEMETRY)
    return mask_text(text, TELEMETRY_NAMES if telemetry else NAMES).encode("utf-8", "surrogateescape")
