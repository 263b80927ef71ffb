"""Running a job so that starting it twice is safe: a row lease, a record of each run, missed nights caught up."""

import os
import socket
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Final

import structlog

from database import embedded
from database import jobs as store
from database.pool import Pool
from errors import AlertbookError, SettingsError
from jobs.job import Job, Outcome
from settings import Settings
from state.newyork import trading_date
from state.schedule import due_days

log = structlog.get_logger()

LEASE_SECONDS: Final = 120.0
#: The outcome of a start that had nothing to do because the same job is being done.
BUSY: Final = Outcome(0, {"skipped": "another run of this job is at work"})


def with_database(settings: Settings) -> Settings:
    """The settings with the address of the database: the one that is set, or that of the running embedded one.

    Raises SettingsError when there is neither.
    """
    if settings.database_url is not None:
        return settings
    url = embedded.running_url(settings.data_dir)
    if url is None:
        raise SettingsError(
            "DATABASE_URL is unset and no server runs on ALERTBOOK_DATA_DIR: set one of them, or start the server."
        )
    return replace(settings, database_url=url, database_url_direct=url)


def run(job: Job, settings: Settings, arguments: Sequence[str], *, now: datetime) -> Outcome:
    """Run a job unless another process is at it, and record the run. `now` decides which nights are due.

    A nightly job with a day as its argument runs for just that day, unless that is done. Raises what the job raises.
    """
    if not job.leased:
        return job.run(settings, arguments)
    settings = with_database(settings)
    assert settings.database_url is not None
    pool = Pool(settings.database_url, 2)
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    try:
        if not store.take_lease(pool, job.name, holder, LEASE_SECONDS):
            return BUSY
        with _kept_alive(pool, job.name, holder):
            if job.nightly:
                return _run_nights(job, settings, pool, holder, arguments, trading_date(now))
            return _recorded(job, settings, pool, holder, arguments, None)
    finally:
        pool.close()


@contextmanager
def _kept_alive(pool: Pool, name: str, holder: str) -> Iterator[None]:
    """Renew the lease in a thread while the block runs, then give it back."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(LEASE_SECONDS / 4):
            try:
                if not store.renew_lease(pool, name, holder, LEASE_SECONDS):
                    log.error("job_lease_lost", job=name)
                    return
            except AlertbookError as error:
                log.warning("job_lease_not_renewed", job=name, code=error.code)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        store.drop_lease(pool, name, holder)


def _run_nights(
    job: Job, settings: Settings, pool: Pool, holder: str, arguments: Sequence[str], today: date
) -> Outcome:
    wanted = _asked_days(arguments, today)
    done, ran_before = store.done_days(pool, job.name, min([*wanted, date.fromordinal(today.toordinal() - 2)]))
    days = [day for day in wanted if day not in done] if wanted else due_days(today, done, ran_before=ran_before)
    if not days:
        return Outcome(0, {"skipped": "every day that is due is done"})
    results = {}
    for day in days:
        outcome = _recorded(job, settings, pool, holder, (day.isoformat(),), day)
        results[day.isoformat()] = outcome.result
        if outcome.exit_code:
            return Outcome(outcome.exit_code, {"days": results})
    return Outcome(0, {"days": results})


def _asked_days(arguments: Sequence[str], today: date) -> list[date]:
    try:
        days = sorted({date.fromisoformat(word) for word in arguments})
    except ValueError:
        raise SettingsError("A nightly job takes days such as 2026-01-31, or nothing.") from None
    if days and days[-1] >= today:
        raise SettingsError(f"{days[-1]} is not over yet in New York: a nightly job takes days before {today}.")
    return days


def _recorded(
    job: Job, settings: Settings, pool: Pool, holder: str, arguments: Sequence[str], day: date | None
) -> Outcome:
    run_id = store.start_run(pool, job.name, day, holder)
    outcome: Outcome | None = None
    try:
        outcome = job.run(settings, arguments)
    finally:
        error = sys.exc_info()[1] if outcome is None else None
        told = None if error is None else (error.message if isinstance(error, AlertbookError) else type(error).__name__)
        recorded = store.finish_run(
            pool,
            run_id,
            exit_code=outcome.exit_code if outcome else None,
            result=outcome.result if outcome else None,
            error=told,
        )
        if not recorded:
            log.error("job_run_taken_for_lost", job=job.name, run_id=run_id)
    return outcome
