"""What the nightly job finds: the forecast, and which balances fell too far."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from state.capital import check_freeze, less_flows
from state.newyork import NEW_YORK


@dataclass(frozen=True, slots=True)
class Balance:
    """One balance of record and the one before it; `net_flow` is what was deposited less withdrawn in between."""

    source: str
    previous: Decimal
    current: Decimal
    net_flow: Decimal


def bounds(day: date) -> tuple[datetime, datetime]:
    """The first instant of a New York day and that of the next: 23 to 25 hours."""
    start = NEW_YORK.localize(datetime.combine(day, time()))
    return start, NEW_YORK.localize(datetime.combine(day + timedelta(days=1), time()))


def check_all(balances: Iterable[Balance], thresholds: Mapping[str, Decimal], default: Decimal) -> list[dict[str, Any]]:
    """Each balance's freeze check, by its source's own threshold or the default (fractions: 0.02 is 2%)."""
    found = []
    for balance in balances:
        adjusted = less_flows(balance.current, balance.net_flow)
        check = check_freeze(balance.previous, adjusted, thresholds.get(balance.source, default))
        found.append(
            {
                "source": balance.source,
                "frozen": check.frozen,
                "drawdown_pct": check.drawdown,
                "threshold_pct": check.threshold,
                "prev_balance": balance.previous,
                "current_balance": balance.current,
                "net_flow": balance.net_flow,
                "current_less_flows": adjusted,
                "message": check.message,
            }
        )
    return found
