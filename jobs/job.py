"""What a job is: a name, and a function from settings and arguments to an outcome."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from settings import Settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: an exit code (0 is done) and numbers worth keeping."""

    exit_code: int = 0
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `run` takes the settings and the words that follow the job's name on the command line.

    A `nightly` one runs once per New York day that is over: it gets the day ("2026-01-31") as its only word, and one
    missed day is caught up. `leased` is False for a job that may run several times at once; its runs are not recorded.
    """

    name: str
    summary: str
    run: Callable[[Settings, Sequence[str]], Outcome]
    nightly: bool = False
    leased: bool = True
