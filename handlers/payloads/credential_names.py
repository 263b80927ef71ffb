"""How alerts name their credentials."""

from functools import lru_cache
from typing import Final

#: Names under which dialects carry credentials, in lower case and without _ and -.
NAMES: Final = frozenset({"secret", "passphrase", "password", "token", "key", "apikey", "emailtoken"})
#: Of these, the ones that count as the webhook's secret.
OFFERED: Final = frozenset({"secret", "passphrase"})
#: Those of telemetry, whose schema may name a field `key` or `token`.
TELEMETRY_NAMES: Final = NAMES - {"key", "token"}


def bare(name: str) -> str:
    """A field's name as credentials' names are compared."""
    return _bared(name) if len(name) < 100 else ""


@lru_cache(maxsize=4096)
def _bared(name: str) -> str:
    """The names of fields are few and come with every alert."""
    return name.lower().replace("_", "").replace("-", "")
