"""The named values of one alert, found under any of their names, with their place as the sender wrote it."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from handlers.payloads.findings import Findings

#: How Pine and spreadsheets write "there is no number here".
NO_NUMBER: Final = frozenset(
    {"", "na", "n/a", "nan", "null", "none", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
)
#: In a field of text only what cannot be a name: NA is a ticker.
NO_TEXT: Final = frozenset({"", "NaN"})
NO_TIME: Final = frozenset({"", "na", "nan"})


class Sent(NamedTuple):
    """One value that was sent, and where: a dotted path such as `attributes.entry_price`."""

    path: str
    value: Any


class Layer(NamedTuple):
    """Values that stand together, and the path that leads to them ("" or ending in a dot)."""

    values: Mapping[str, Any]
    prefix: str = ""


class Fields:
    """What one alert sent. Earlier layers win over later ones, whatever alias they use."""

    def __init__(self, *layers: Layer, findings: Findings | None = None) -> None:
        self.layers = layers
        self.findings = findings or Findings()
        self._values = tuple(values for values, _ in layers)

    def value(self, names: tuple[str, ...]) -> Any:
        """The value of `first`, or None, without its place: most fields were not sent, or need nobody told."""
        for values in self._values:
            for name in names:
                value = values.get(name)
                if value is not None:
                    return value
        return None

    def sent(self, *names: str) -> Iterator[Sent]:
        """Every value that is not null under any of the names: layer by layer, names in their order."""
        for values, prefix in self.layers:
            for name in names:
                value = values.get(name)
                if value is not None:
                    yield Sent(prefix + name, value)

    def first(self, *names: str) -> Sent | None:
        """The first value that is not null."""
        for values, prefix in self.layers:
            for name in names:
                value = values.get(name)
                if value is not None:
                    return Sent(prefix + name, value)
        return None

    def path(self, name: str) -> str:
        """Where the sender wrote the field; when nowhere, where it would stand in the layer that wins."""
        sent = self.first(name)
        return self.layers[0].prefix + name if sent is None else sent.path


def is_nan(value: Any) -> bool:
    """True for the bare words NaN and Infinity and for what else is no finite number."""
    if isinstance(value, Decimal):
        return not value.is_finite()
    return isinstance(value, float) and not math.isfinite(value)


def no_number(value: Any) -> bool:
    """True when the value says that there is no number."""
    return value.strip(" ").lower() in NO_NUMBER if isinstance(value, str) else is_nan(value)


def no_text(value: Any) -> bool:
    """True when the value says that there is no text."""
    return value.strip() in NO_TEXT if isinstance(value, str) else is_nan(value)


def no_time(value: Any) -> bool:
    """True when the value says that there is no time ("infinity" is not such a word: it is wrong)."""
    return value.strip().lower() in NO_TIME if isinstance(value, str) else is_nan(value)
