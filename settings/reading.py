"""Reading one variable: what is accepted, and the sentence that says what to set instead."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import pytz
from environs import Env

from errors import SettingsError


class Given(Env):
    """environs' reader over the given variables; a blank one counts as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__()
        self._given = {name: value for name, value in environ.items() if value.strip()}

    def _get_value(self, env_key: str, default: Any) -> Any:
        return self._given.get(env_key, default)


def keys(env: Env, *names: str) -> tuple[str, ...]:
    """All comma-separated keys of the named settings, at least 8 characters each."""
    found: list[str] = []
    for name in names:
        values: list[str] = env.list(name, default=[])
        for key in map(str.strip, values):
            if key and len(key) < 8:
                raise SettingsError(f"{name} holds a key of fewer than 8 characters: set a longer one.")
            if key and key not in found:
                found.append(key)
    return tuple(found)


def between(env: Env, name: str, default: int, low: int, high: int) -> int:
    """A whole number within bounds."""
    value: int = env.int(name, default=default)
    if not low <= value <= high:
        raise SettingsError(f"{name} is {value}: set a whole number from {low} to {high}.")
    return value


def fraction(env: Env, name: str, default: str, high: str) -> Decimal:
    """An exact number above 0."""
    text: str = env.str(name, default=default)
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 < value <= Decimal(high):
        raise SettingsError(f"{name} is {text!r}: set a fraction above 0 and up to {high}, such as {default}.")
    return value


def zone(env: Env, name: str, default: str) -> str:
    """The name of a time zone."""
    given: str = env.str(name, default=default)
    try:
        return str(pytz.timezone(given))
    except pytz.UnknownTimeZoneError:
        raise SettingsError(
            f"{name} is {given!r}, which is no time zone: set a name such as America/New_York or UTC."
        ) from None


def database_url(env: Env, name: str) -> str | None:
    """The address of a PostgreSQL database, or None."""
    url: str | None = env.str(name, default=None)
    if url is not None and not url.startswith(("postgres://", "postgresql://")):
        raise SettingsError(f"{name} must start with postgresql:// (or postgres://).")
    return url
