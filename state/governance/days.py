"""The trading day of the caps and scorecards."""

from datetime import date, datetime

import pytz

from state.values import utc


def trading_day(now: datetime, zone: str) -> date:
    """The calendar day of an instant in a zone: it begins at that zone's midnight, clock changes included.

    Raises ValueError for an instant without an offset.
    """
    return utc(now).astimezone(pytz.timezone(zone)).date()
