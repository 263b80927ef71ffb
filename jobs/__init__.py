"""Things a scheduler starts: `python -m jobs run <name>`. To add one: its file, and a line in `JOBS`."""

from jobs import telemetry_aggregates
from jobs.job import Job

JOBS: tuple[Job, ...] = (telemetry_aggregates.JOB,)
