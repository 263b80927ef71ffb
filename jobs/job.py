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
    """One job. `run` takes the settings and the words that follow the job's name on the command line."""

    name: str
    summary: str
    run: Callable[[Settings, Sequence[str]], Outcome]
