"""Things a scheduler starts: `python -m jobs run <name>`. To add one: its file, and a line in `JOBS`."""

from jobs import (
    backup,
    deliver_notices,
    nightly_capital,
    retention,
    silence,
    telemetry_aggregates,
    trade_kpis,
    trades_sync,
)
from jobs.background import Background, take_turns
from jobs.job import Job
from settings import Settings

JOBS: tuple[Job, ...] = (
    retention.JOB,
    trade_kpis.JOB,
    deliver_notices.JOB,
    nightly_capital.JOB,
    telemetry_aggregates.JOB,
    trades_sync.JOB,
    backup.JOB,
    silence.JOB,
)


def start_behind(settings: Settings) -> list[Background]:
    """What the web server does behind its requests, as far as the settings ask for it."""
    if settings.database_url is None:
        return []
    turns = [found for found in (retention.turn(settings), silence.turn(settings)) if found is not None]
    notices = deliver_notices.start_background(settings)
    return [*([notices] if notices is not None else []), take_turns(settings.database_url, turns)]
