"""Things a scheduler starts: `python -m jobs run <name>`. To add one: its file, and a line in `JOBS`."""

from jobs import deliver_notices, nightly_capital, retention, telemetry_aggregates, trade_kpis, trades_sync
from jobs.job import Job

JOBS: tuple[Job, ...] = (
    retention.JOB,
    trade_kpis.JOB,
    deliver_notices.JOB,
    nightly_capital.JOB,
    telemetry_aggregates.JOB,
    trades_sync.JOB,
)
