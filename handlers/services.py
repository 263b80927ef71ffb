"""What the handlers work with: made once per process by create_app, found through the application."""

import time
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from flask import Flask, current_app

from database.counts import Counter
from database.pool import Pool
from database.writer import SignalWriter
from settings import Settings

_KEY: Final = "alertbook"


class JobFacts(NamedTuple):
    """What the API says about a job that a scheduler starts."""

    name: str
    summary: str
    nightly: bool


@dataclass(frozen=True, slots=True)
class Services:
    """One process's settings, connections and writer."""

    settings: Settings
    pool: Pool
    writer: SignalWriter
    jobs: tuple[JobFacts, ...] = ()
    counter: Counter = field(init=False)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counter", Counter(self.pool))


def install(app: Flask, made: Services) -> None:
    """Give the application its services."""
    app.extensions[_KEY] = made


def services() -> Services:
    """The services of the application that handles this request."""
    return cast(Services, current_app.extensions[_KEY])
