"""Removes what has outlived its days: log files, measured outcomes, telemetry, receipts."""

import glob
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from database.governance.retention import remove_old
from jobs.job import Job, Outcome
from settings import Settings
from state import jsontext


def run(settings: Settings, arguments: Sequence[str]) -> Outcome:
    """One run, or with `--loop` one every RETENTION_CRON_MINUTES; with RETENTION_ENABLED unset nothing is removed."""
    if not settings.retention_enabled:
        return Outcome(0, {"ran": False, "why": "RETENTION_ENABLED is not set"})
    while "--loop" in arguments:
        sys.stdout.write(jsontext.dump(_run_once(settings).result) + "\n")
        sys.stdout.flush()
        time.sleep(settings.retention_cron_minutes * 60)
    return _run_once(settings)


def _run_once(settings: Settings) -> Outcome:
    url = settings.database_url_direct
    if url is None:
        return Outcome(2, {"ran": False, "why": "DATABASE_URL is unset"})
    removed = remove_old(url, days_of(settings), [lambda: {"log_files": remove_logs(settings)}])
    if removed is None:
        return Outcome(0, {"ran": False, "why": "another run is at work"})
    return Outcome(0, {"ran": True, "removed": removed})


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


JOB = Job("retention", "remove log files, KPI events, telemetry and receipts past their days", run)
