"""The exchange's clock: New York dates, times and sessions of an instant, right through both DST nights."""

from datetime import date, datetime, time
from functools import lru_cache
from typing import Final

import pytz

from state.vocabulary import SESSION_STARTS

NEW_YORK: Final = pytz.timezone("America/New_York")


@lru_cache(maxsize=64)
def to_new_york(instant: datetime) -> datetime:
    """The same instant on New York's wall clock. `instant` must be aware."""
    if instant.tzinfo is None:
        raise ValueError("to_new_york needs an aware datetime")
    return instant.astimezone(NEW_YORK)


def trading_date(instant: datetime) -> date:
    """The New York calendar day of an instant."""
    return to_new_york(instant).date()


def wall_time(instant: datetime) -> time:
    """New York's wall clock time of an instant, to the second."""
    return to_new_york(instant).time().replace(microsecond=0)


def session_at(instant: datetime) -> str:
    """The session in which an instant falls (start inclusive, end exclusive, New York time)."""
    local = to_new_york(instant)
    minute = local.hour * 60 + local.minute
    return next(name for start, name in reversed(SESSION_STARTS) if start <= minute)
