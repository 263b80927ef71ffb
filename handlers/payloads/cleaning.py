"""The whole body as it can be stored: no NaN, no NUL, no lone surrogates; everything else as sent."""

from decimal import Decimal
from typing import Any

from handlers.payloads.fields import Layer, is_nan
from handlers.payloads.findings import Findings, shown, storable
from state.jsontext import canonical


def clean(value: Any, path: str, findings: Findings) -> Any:
    """The value with NaN and Infinity as None and unstorable characters as U+FFFD, each with a warning.

    A key that cannot be stored is a fault (BAD_KEY): replacing characters of names could make two of
    them one.
    """
    if isinstance(value, Decimal | int | None) and not is_nan(value):
        return value
    if isinstance(value, str):
        text = storable(value)
        if text != value:
            message = "Characters that cannot be stored (NUL or half of a surrogate pair) were replaced."
            findings.warn_once(path, "TEXT_REPLACED", message)
        return text
    if isinstance(value, dict):
        return {key: clean(value[key], _key_path(path, key, findings), findings) for key in value}
    if isinstance(value, list):
        return [clean(item, f"{path}[{index}]", findings) for index, item in enumerate(value)]
    if is_nan(value):
        findings.warn_once(path, "NO_VALUE", f"{shown(value)} is not a number and was stored as null.")
        return None
    return value


def is_clean(value: Any) -> bool:
    """Whether `clean` would find nothing to do; a look without paths, which only what is told needs."""
    if isinstance(value, str):
        return value.isascii() and "\0" not in value
    if isinstance(value, dict):
        return all(is_clean(key) and is_clean(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(is_clean, value))
    return not is_nan(value)


def _key_path(path: str, key: str, findings: Findings) -> str:
    place = f"{path}.{key}" if path else key
    _check_key(place, key, findings)
    return place


def _check_key(place: str, key: str, findings: Findings) -> None:
    if storable(key) != key:
        message = "The name of a field holds characters that cannot be stored (NUL or half of a surrogate pair)."
        findings.wrong(place, "BAD_KEY", message)


def clean_layers(layers: tuple[Layer, ...], findings: Findings) -> tuple[dict[str, Any], str]:
    """One body of several layers, the first on top, cleaned, and its canonical JSON text; paths are the sender's.

    Nearly every body is clean, and writing its canonical text, which is needed anyway, finds that out: NaN
    cannot be written, half of a surrogate pair cannot be encoded, and NUL can only be written as an escape.
    """
    body = dict(layers[0].values) if len(layers) == 1 else _merged(layers)
    try:
        text = canonical(body)
        text.encode()
    except ValueError:
        pass
    else:
        if "\\u0000" not in text:
            return body, text
    body = _cleaned(layers, findings)
    return body, "" if findings.details else canonical(body)


def _merged(layers: tuple[Layer, ...]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for values, _ in layers:
        for key, value in values.items():
            body.setdefault(key, value)
    return body


def _cleaned(layers: tuple[Layer, ...], findings: Findings) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for values, prefix in layers:
        for key, value in values.items():
            if key not in body:
                _check_key(prefix + key, key, findings)
                body[key] = clean(value, prefix + key, findings)
    return body
