"""A whole copy of the database; the go-live checklist looks for the last one among the runs of this job."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from database.backups import dump
from errors import SettingsError
from jobs.job import Job, Outcome
from settings import Settings

NAME: Final = "backup"
#: Instead of a target: a backup was made by something else (a snapshot of the disk, the platform), and which.
MADE_ELSEWHERE: Final = "--made-elsewhere"


def run(settings: Settings, arguments: Sequence[str]) -> Outcome:
    """Copy the database to the file, into the folder, or ("-") to standard output; or note that something else did."""
    if len(arguments) == 2 and arguments[0] == MADE_ELSEWHERE:
        return Outcome(0, {"made_elsewhere": arguments[1][:500]})
    if len(arguments) != 1:
        raise SettingsError(
            "A backup needs the file or the folder that it goes to, - for standard output, or "
            f"{MADE_ELSEWHERE} and what made one."
        )
    url = settings.database_url_direct
    assert url is not None
    target = None if arguments[0] == "-" else _file(Path(arguments[0]))
    size = dump(url, target)
    result: dict[str, Any] = {"to": "standard output" if target is None else str(target)}
    return Outcome(0, result if size is None else {**result, "bytes": size})


def _file(target: Path) -> Path:
    if not target.is_dir():
        return target.absolute()
    return target.absolute() / f"alertbook-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.dump"


JOB: Final = Job(NAME, "copy the whole database to a file, a folder or standard output (-)", run)
