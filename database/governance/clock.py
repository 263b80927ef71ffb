"""The database's clock, by which everybody's days and deadlines are judged."""

from dataclasses import dataclass
from datetime import date, datetime

from database.driver import Connection
from database.queries import QUERIES
from state.governance.days import trading_day


@dataclass(frozen=True, slots=True)
class Clock:
    """An instant and its trading day."""

    now: datetime
    day: date


def read_clock(connection: Connection, zone: str) -> Clock:
    """The time now, and the trading day that it belongs to."""
    now = QUERIES.risk.select_clock(connection)
    return Clock(now, trading_day(now, zone))
