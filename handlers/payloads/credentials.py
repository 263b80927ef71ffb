"""Credentials of alerts: taken out before anything is stored, and offered to the webhook's check."""

import re
from collections.abc import Mapping
from typing import Any, Final

from handlers.payloads import pinetext

#: Names under which dialects carry credentials, compared in lower case and without _ and -.
NAMES: Final = frozenset({"secret", "passphrase", "password", "token", "key", "apikey", "emailtoken"})
#: Of these, the ones that count as the webhook's secret.
OFFERED: Final = ("secret", "passphrase")
#: Telemetry names its fields by a schema, in which `key` and `token` may mean something else.
_TELEMETRY: Final = ("schema_version", "attributes")
_TELEMETRY_NAMES: Final = frozenset({"secret", "passphrase", "password", "apikey", "emailtoken"})


def _bare(name: Any) -> str:
    return name.lower().replace("_", "").replace("-", "") if isinstance(name, str) else ""


def take_credentials(body: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The texts that the body offers as the webhook's secret, and the body without its credentials.

    From telemetry they are taken at its root and in its envelope, from any other alert wherever they stand.
    """
    offered = _offers(body)
    for name in ("attributes", "strategy"):
        inside = body.get(name)
        if isinstance(inside, Mapping):
            offered += _offers(inside)
    if any(body.get(name) for name in _TELEMETRY):
        kept = _without(body, _TELEMETRY_NAMES)
        inside = kept.get("attributes")
        return offered, {**kept, "attributes": _without(inside, _TELEMETRY_NAMES)} if isinstance(inside, dict) else kept
    return offered, without_credentials(body)


def _offers(values: Mapping[str, Any]) -> list[str]:
    return [value for name, value in values.items() if _bare(name) in OFFERED and isinstance(value, str)]


def _without(values: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if _bare(name) not in names}


def mask_credentials(raw: bytes) -> bytes:
    """A body as it came, the values of its credentials replaced by ***: what is kept where nothing could be read."""
    if pinetext.as_object(raw.decode("utf-8-sig", "replace")) is not None:
        return f"***,{pinetext.without_credentials(raw.decode('utf-8-sig', 'replace'))}".encode()
    pattern = _IN_TELEMETRY if b'"schema_version"' in raw or b'"attributes"' in raw else _IN_OTHERS
    return pattern.sub(rb'\1"***"', raw)


def _pattern(*names: bytes) -> re.Pattern[bytes]:
    value = rb'("(?:[^"\\]|\\.)*(?:"|\Z)|[^,}\]\s"]+)'
    return re.compile(rb'("(?:' + b"|".join(names) + rb')"\s*:\s*)' + value, re.IGNORECASE)


_COMMON: Final = (b"secret", b"passphrase", b"password", b"api[_-]?key", b"email[_-]?token")
_IN_TELEMETRY: Final = _pattern(*_COMMON)
_IN_OTHERS: Final = _pattern(*_COMMON, b"key", b"token")


def without_credentials(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body without every field that is named like a credential, wherever it stands."""
    kept = {name: _inside(value) for name, value in body.items() if _bare(name) not in NAMES}
    text = kept.get(pinetext.FIELD)
    if isinstance(text, str):
        kept[pinetext.FIELD] = pinetext.without_credentials(text)
    return kept


def _inside(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _inside(inner) for name, inner in value.items() if _bare(name) not in NAMES}
    if isinstance(value, list):
        return [_inside(inner) for inner in value]
    return value
