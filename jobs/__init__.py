"""Things a scheduler starts: `python -m jobs run <name>`. To add one: its file, and a line in `JOBS`."""

from jobs import trades_sync
from jobs.job import Job

JOBS: tuple[Job, ...] = (trades_sync.JOB,)
