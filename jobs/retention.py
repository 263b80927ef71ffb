"""Removes what has outlived its days: log files, measured outcomes, telemetry, receipts."""

import glob
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from database.governance.retention import remove_old
from database.pool import Pool
from jobs import running
from jobs.background import Turn
from jobs.job import Job, Outcome
from settings import Settings

log = structlog.get_logger()

NAME: Final = "retention"


def run(settings: Settings, arguments: Sequence[str], *, halted: Callable[[], bool] = lambda: False) -> Outcome:
    """One run; with RETENTION_ENABLED unset nothing is removed."""
    if not settings.retention_enabled:
        return Outcome(0, {"ran": False, "why": "RETENTION_ENABLED is not set"})
    url = settings.database_url_direct
    assert url is not None
    pool = Pool(url, 1)
    try:
        removed = remove_old(pool, days_of(settings), now=datetime.now(UTC), halted=halted)
    finally:
        pool.close()
    return Outcome(0, {"ran": True, "removed": {**removed, "log_files": remove_logs(settings)}})


def days_of(settings: Settings) -> dict[str, int]:
    """How long each kind is kept, in days; 0 for ever."""
    return {
        "kpi_events": settings.retention_kpi_days,
        "telemetry": settings.retention_telemetry_days,
        "receipts": settings.retention_receipt_days,
    }


def remove_logs(settings: Settings) -> int:
    """Remove the log's files (LOG_JSON_PATH and what rotation appends to its name) that are past their days."""
    if settings.retention_log_path is None or settings.retention_log_days <= 0:
        return 0
    before = time.time() - settings.retention_log_days * 86_400
    old = [
        path
        for path in map(Path, glob.glob(f"{glob.escape(settings.retention_log_path)}*"))
        if path.is_file() and path.stat().st_mtime < before
    ]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


JOB: Final = Job(NAME, "remove log files, KPI events, telemetry and receipts past their days", run)


def turn(settings: Settings) -> Turn | None:
    """A run every RETENTION_CRON_MINUTES behind the web server; None when nothing is removed."""
    if not settings.retention_enabled:
        return None

    def work(halted: Callable[[], bool]) -> None:
        job = replace(JOB, run=partial(run, halted=halted))
        log.info("retention", **running.run(job, settings, (), now=datetime.now(UTC)).result)

    return Turn(NAME, settings.retention_cron_minutes * 60, work)
