"""A strategy's own rhythm: has it fallen silent, and is it about to hit TradingView's stop for busy alerts?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from state.newyork import to_new_york

#: TradingView stops an alert that triggers more than 15 times in 3 minutes.
STOP_TRIGGERS: Final = 15
STOP_WINDOW: Final = timedelta(minutes=3)
WARN_TRIGGERS: Final = 12

MIN_ALERTS: Final = 5
MIN_PATIENCE: Final = timedelta(minutes=5)
PATIENCE: Final = 3
#: How far back a rhythm is looked for.
KNOWN_DAYS: Final = 14


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What a strategy's times of receipt tell.

    `usual_gap_seconds` is the 95th percentile of the gaps between alerts; a strategy is `silent` when it has said
    nothing for three times that (at least five minutes), weekends not counted. None where fewer than five alerts
    are known. `busiest_triggers` is the largest number of alerts within three minutes among the newest.
    """

    alerts: int
    last_received_at: datetime
    silent_seconds: int
    usual_gap_seconds: int | None
    silent: bool
    busiest_triggers: int
    near_stop: bool

    @property
    def overdue(self) -> timedelta:
        """How long ago the strategy ran out of its patience; 0 while it has some."""
        if self.usual_gap_seconds is None:
            return timedelta(0)
        patience = max(MIN_PATIENCE, timedelta(seconds=PATIENCE * self.usual_gap_seconds))
        return max(timedelta(0), timedelta(seconds=self.silent_seconds) - patience)


def rhythm(times: Sequence[datetime], now: datetime) -> Rhythm:
    """The rhythm of alerts received at these ascending times (at least one)."""
    gaps = sorted(open_time(earlier, later) for earlier, later in pairwise(times))
    quiet = open_time(times[-1], now)
    usual = gaps[min(len(gaps) - 1, len(gaps) * 95 // 100)] if len(times) >= MIN_ALERTS else None
    busiest = _busiest([time for time in times if time > now - 2 * STOP_WINDOW])
    return Rhythm(
        alerts=len(times),
        last_received_at=times[-1],
        silent_seconds=round(quiet.total_seconds()),
        usual_gap_seconds=None if usual is None else round(usual.total_seconds()),
        silent=usual is not None and quiet > max(MIN_PATIENCE, PATIENCE * usual),
        busiest_triggers=busiest,
        near_stop=busiest >= WARN_TRIGGERS,
    )


def open_time(earlier: datetime, later: datetime) -> timedelta:
    """The time between two instants without Saturdays and Sundays of New York, when most markets rest."""
    total = later - earlier
    day = to_new_york(earlier).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    end = to_new_york(later).replace(tzinfo=None)
    start = to_new_york(earlier).replace(tzinfo=None)
    while day < end:
        following = day + timedelta(days=1)
        if day.weekday() >= 5:
            total -= max(timedelta(0), min(end, following) - max(start, day))
        day = following
    return max(timedelta(0), total)


def _busiest(times: Sequence[datetime]) -> int:
    first, most = 0, 0
    for last, time in enumerate(times):
        while times[first] <= time - STOP_WINDOW:
            first += 1
        most = max(most, last - first + 1)
    return most
