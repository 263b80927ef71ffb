"""What a payload version is given and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from errors import Invalid
from state.event import SignalEvent

Body = Mapping[str, Any]
Style = Literal["telemetry", "legacy", "batch", "position"]


@dataclass(frozen=True, slots=True)
class Context:
    """What the body does not say: when it came (aware, UTC) and the zone of times without an offset."""

    received_at: datetime
    naive_zone: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A batch item that cannot become an event; its neighbours can. `index` counts from 0."""

    index: int
    error: Invalid


@dataclass(frozen=True, slots=True)
class Reading:
    """One alert, understood: one outcome, or for a batch one per item in the order sent."""

    version: str
    style: Style
    schema_version: str | None
    outcomes: tuple[SignalEvent | Refused, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """A payload version: how to know it, and how to read it.

    `recognised_by` is told to senders whose alert nothing recognises. `schema_major` is set by the
    versions that a `schema_version` names.
    """

    name: str
    style: Style
    recognised_by: str
    recognises: Callable[[Body], bool]
    read: Callable[[Body, Context], Reading]
    schema_major: str | None = None
