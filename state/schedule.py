"""Which days a nightly job is due for."""

from collections.abc import Set
from datetime import date, timedelta


def due_days(today: date, done: Set[date], *, ran_before: bool) -> list[date]:
    """The days to run now, oldest first: yesterday, and the day before it when that one was missed.

    `today` is the current day of the job's clock, which is not over yet. `ran_before` says whether the job has
    done any day before those two: a job that never ran has missed nothing. Of several missed nights one is caught up.
    """
    yesterday = today - timedelta(days=1)
    missed = today - timedelta(days=2)
    due = [] if yesterday in done else [yesterday]
    if missed not in done and ran_before:
        due.insert(0, missed)
    return due
