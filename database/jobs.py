"""The row lease of jobs, and the record of their runs."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from database.pool import Pool
from database.queries import QUERIES
from state import jsontext


def take_lease(pool: Pool, name: str, holder: str, seconds: float) -> bool:
    """Whether `holder` may do the job now, for `seconds`, by the database's clock."""
    with pool.transaction() as connection:
        return QUERIES.jobs.take_lease(connection, name=name, holder=holder, seconds=seconds) is not None


def renew_lease(pool: Pool, name: str, holder: str, seconds: float) -> bool:
    """Prolong a lease; False when another holder has taken it over."""
    with pool.transaction() as connection:
        renewed: int = QUERIES.jobs.renew_lease(connection, name=name, holder=holder, seconds=seconds)
        return renewed == 1


def drop_lease(pool: Pool, name: str, holder: str) -> None:
    """Give a lease back; does nothing when another holder has it."""
    with pool.transaction() as connection:
        QUERIES.jobs.drop_lease(connection, name=name, holder=holder)


def start_run(pool: Pool, job: str, day: date | None, holder: str) -> int:
    """Note that a run has begun, and that earlier ones which never ended are lost. Returns its id."""
    with pool.transaction() as connection:
        QUERIES.jobs.mark_lost_runs(connection, job=job)
        run_id: int = QUERIES.jobs.insert_run(connection, job=job, day=day, holder=holder)
        return run_id


def finish_run(
    pool: Pool, run_id: int, *, exit_code: int | None, result: Mapping[str, Any] | None, error: str | None
) -> bool:
    """Note how a run ended; False when it had been taken for lost meanwhile."""
    with pool.transaction() as connection:
        ended: int = QUERIES.jobs.finish_run(
            connection,
            run_id=run_id,
            status="done" if exit_code == 0 else "failed",
            exit_code=exit_code,
            result=None if result is None else jsontext.dump(result),
            error=error,
        )
        return ended == 1


def done_days(pool: Pool, job: str, since: date) -> tuple[set[date], bool]:
    """The days from `since` on that are done, and whether any day before it is."""
    with pool.transaction() as connection:
        days = {row.day for row in QUERIES.jobs.select_done_days(connection, job=job, since=since)}
        return days, bool(QUERIES.jobs.has_done_before(connection, job=job, day=since))


def last_done(pool: Pool, job: str) -> Any:
    """The last run of a job that ended well: finished_at, result; None when there is none."""
    with pool.transaction() as connection:
        return QUERIES.jobs.select_last_done(connection, job=job)


def last_runs(pool: Pool) -> dict[str, dict[str, Any]]:
    """The newest run of each job by its name: id, day, status, times, duration_seconds, exit_code, result, error."""
    with pool.transaction() as connection:
        rows = list(QUERIES.jobs.select_last_runs(connection))
    return {row.job: {name: getattr(row, name) for name in row._fields if name != "job"} for row in rows}
