"""Jobs that write down each of their runs, for tests that start them from several processes."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from errors import Unavailable
from jobs import running
from jobs.job import Job, Outcome
from settings import Settings, load


def note(settings: Settings, arguments: Sequence[str]) -> Outcome:
    """Write a line, and take long enough that a second start would overlap."""
    with (settings.data_dir / "runs.txt").open("a", encoding="utf-8") as file:
        file.write(" ".join(arguments) + "\n")
    time.sleep(0.3)
    return Outcome(0, {"days": list(arguments)})


def fail(settings: Settings, arguments: Sequence[str]) -> Outcome:
    """End as a job does whose work cannot be done."""
    raise Unavailable("the work cannot be done now")


PLAIN = Job("plain", "Runs whenever it is started.", note)
NIGHTLY = Job("nightly", "Runs once for each day.", note, nightly=True)
FAILING = Job("failing", "Never ends well.", fail)


def lines(settings: Settings) -> list[str]:
    """What the jobs wrote down."""
    path = settings.data_dir / "runs.txt"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def start(environment: dict[str, str], nightly: bool) -> dict[str, object]:
    """Run a job as a scheduler does, in whatever process this is."""
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    Path(environment["ALERTBOOK_DATA_DIR"]).mkdir(exist_ok=True)
    return dict(running.run(NIGHTLY if nightly else PLAIN, load(environment), (), now=now).result)
