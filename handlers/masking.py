"""Secrets out of bodies, wherever they stand, before anything is stored or logged."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from state import jsontext
from state.event import EventWarning

MASK: Final = "***"


def mask_bytes(raw: bytes, secrets: Sequence[str]) -> bytes:
    """A body without secrets, also where JSON escapes hide them."""
    for secret in secrets:
        raw = raw.replace(secret.encode(), MASK.encode())
    if not secrets or b"\\" not in raw:
        return raw
    try:
        value = jsontext.parse(raw.decode("utf-8-sig"), max_depth=10_000, max_keys=1_000_000)
        masked, where = mask_values(value, secrets)
        return jsontext.dump(masked).encode() if where else raw
    except (ValueError, RecursionError):
        return raw


def mask_body(
    body: Mapping[str, Any], raw: bytes, secrets: Sequence[str], *, taken: bool
) -> tuple[dict[str, Any], list[EventWarning]]:
    """A parsed body without secrets that were echoed in other fields, with a warning for each place.

    `taken` says that the secret's own field was taken out of `body` already: a body is only searched where its
    bytes hold a secret more often than that, or an escape that could hide one.
    """
    if b"\\" not in raw and sum(raw.count(secret.encode()) for secret in secrets) <= taken:
        return dict(body), []
    masked, where = mask_values(body, secrets)
    message = "the webhook secret stood in this field too and was removed"
    return masked, [EventWarning(path, "SECRET_REMOVED", message) for path in where]


def mask_values(value: Any, secrets: Sequence[str], path: str = "") -> tuple[Any, list[str]]:
    """The value with every secret in texts and keys replaced, and the dotted paths of the places."""
    if isinstance(value, str):
        masked = value
        for secret in secrets:
            masked = masked.replace(secret, MASK)
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
