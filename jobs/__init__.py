"""Things a scheduler starts: `python -m jobs run <name>`. To add one: its file, and a line in `JOBS`."""

from jobs import deliver_notices, nightly_capital
from jobs.job import Job

JOBS: tuple[Job, ...] = (
    deliver_notices.JOB,
    nightly_capital.JOB,
)
