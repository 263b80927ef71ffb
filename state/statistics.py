"""Statistics of many trades: pure functions over plain outcomes, and the registry that names them.

An outcome is what a fold or a summary row knows of one trade, so both can feed the same numbers. To
add a metric: a function over `Sample` and a line in METRICS.

Sums are exact; a quotient is rounded half even to 28 significant digits, whatever the caller's
context is. Where there is nothing to measure the answer is None, never 0 and never NaN.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import reduce
from itertools import accumulate
from typing import Any, Final

from state.lifecycle import ACTIVE, BE_PROTECTED, COMPLETED, PENDING, UNKNOWN
from state.position import UNCERTAIN, PositionTrade
from state.r_multiple import EXACT, RATIO
from state.trade import Trade
from state.vocabulary import CANCELLED

_ZERO: Final = Decimal(0)
_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)
#: The trades that were filled.
ENTERED: Final = frozenset({ACTIVE, BE_PROTECTED, COMPLETED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What statistics need of one trade: R values in R, `exit_time` aware, `event_count` its stored alerts."""

    trade_id: str
    status: str
    realized_r: Decimal | None = None
    max_mfe: Decimal | None = None
    exit_time: datetime | None = None
    event_count: int = 1
    #: what a position trade brought, in price units times quantity
    realized_points: Decimal | None = None
    #: an alert of the trade is missing: its result is not counted on
    uncertain: bool = False


def outcome_of(trade: Trade) -> Outcome:
    """The outcome of a folded trade."""
    return Outcome(
        trade_id=trade.trade_id,
        status=trade.status,
        realized_r=trade.realized_r,
        max_mfe=trade.max_mfe,
        exit_time=trade.exit_time,
        event_count=trade.event_count,
        realized_points=trade.realized_points if isinstance(trade, PositionTrade) else None,
        uncertain=not UNCERTAIN.isdisjoint(trade.anomalies),
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """What is measured of a set of trades: counts, and exact sums in R.

    `results` counts the decided trades (COMPLETED and certain, with a known R), `wins` and `losses` those above and
    below 0. `excursions` counts the trades that were entered (ACTIVE, BE_PROTECTED, COMPLETED) and tell their largest
    MFE. `statuses`: trades by status. `points_*`: decided position trades that tell no R, by the sign of what they
    brought. `uncertain`: trades of which an alert is missing; they are not among the decided. `max_drawdown` is told
    in `max_drawdown_r`.
    """

    total_signals: int
    statuses: Mapping[str, int]
    results: int
    wins: int
    wins_sum: Decimal
    losses: int
    losses_sum: Decimal
    excursions: int
    excursions_sum: Decimal
    points_won: int
    points_lost: int
    points_even: int
    uncertain: int
    max_drawdown: Decimal | None

    @property
    def results_sum(self) -> Decimal:
        return EXACT.add(self.wins_sum, self.losses_sum)


def sample(outcomes: Iterable[Outcome], total_signals: int | None = None) -> Sample:
    """The sample that `outcomes`, one of each trade, make. `total_signals` is the number of stored alerts,
    by default the sum of the outcomes' event counts."""
    rows = list(outcomes)
    completed = [row for row in rows if row.status == COMPLETED and not row.uncertain]
    decided = [
        (row.exit_time or _END_OF_TIME, row.trade_id, row.realized_r) for row in completed if row.realized_r is not None
    ]
    results = [result for _, _, result in sorted(decided)]
    wins, losses = [result for result in results if result > 0], [result for result in results if result < 0]
    points = [row.realized_points for row in completed if row.realized_r is None and row.realized_points is not None]
    excursions = [row.max_mfe for row in rows if row.max_mfe is not None and row.status in ENTERED]
    won, lost = sum(brought > 0 for brought in points), sum(brought < 0 for brought in points)
    return Sample(
        total_signals=sum(row.event_count for row in rows) if total_signals is None else total_signals,
        statuses=Counter(row.status for row in rows),
        results=len(results),
        wins=len(wins),
        wins_sum=_sum(wins),
        losses=len(losses),
        losses_sum=_sum(losses),
        excursions=len(excursions),
        excursions_sum=_sum(excursions),
        points_won=won,
        points_lost=lost,
        points_even=len(points) - won - lost,
        uncertain=sum(row.uncertain for row in rows),
        max_drawdown=_max_drawdown(results),
    )


def _sum(values: Iterable[Decimal]) -> Decimal:
    return reduce(EXACT.add, values, _ZERO)


def _max_drawdown(results: Iterable[Decimal]) -> Decimal | None:
    equity = list(accumulate(results, EXACT.add, initial=_ZERO))
    return max(map(EXACT.subtract, accumulate(equity, max), equity)) if len(equity) > 1 else None


def win_rate(of: Sample) -> Decimal | None:
    """Percent of the decided trades with a result above 0 (in R, else in points); break-even ones are in the base.

    The definition of TradingView's "Percent profitable" (Strategy Tester: profitable trades / closed trades).
    """
    if not _decided(of):
        return None
    return RATIO.divide(Decimal(100 * _won(of)), Decimal(_decided(of)))


def avg_mfe(of: Sample) -> Decimal | None:
    """Mean of the largest MFE, in R, of the trades entered; a running trade counts with what it has reached.

    MFE as in John Sweeney, "Maximum Adverse Excursion" (1997), measured in R.
    """
    return mean_of(of.excursions_sum, of.excursions)


def avg_r(of: Sample) -> Decimal | None:
    """Mean realized R of the decided trades."""
    return mean_of(of.results_sum, of.results)


def expectancy_r(of: Sample) -> Decimal | None:
    """Expected R of a trade: P(win) x average win - P(loss) x average loss, break-even trades in both P's base.

    That is the mean R multiple (Van K. Tharp, "Trade Your Way to Financial Freedom", 2nd ed., ch. 8): both
    products share the number of decided trades, so one division does and nothing is rounded twice.
    """
    return mean_of(of.results_sum, of.results)


def profit_factor(of: Sample) -> Decimal | None:
    """Gross profit / gross loss of the decided trades, in R; None while nothing has lost, 0 when nothing has won.

    The definition of TradingView's "Profit factor" (Strategy Tester: gross profit / gross loss).
    """
    return RATIO.divide(of.wins_sum, EXACT.abs(of.losses_sum)) if of.losses else None


def max_drawdown_r(of: Sample) -> Decimal | None:
    """The largest fall, as a positive R, of cumulative R from its running peak; the peak starts at 0.

    MDD = max over t of (max over s <= t of X(s)) - X(t), with X(0) = 0 (Magdon-Ismail and Atiya, "Maximum
    Drawdown", Risk 17(10), 2004), X being the sum of realized R in order of exit.
    """
    return of.max_drawdown


def _decided(of: Sample) -> int:
    return of.results + of.points_won + of.points_lost + of.points_even


def _won(of: Sample) -> int:
    return of.wins + of.points_won


def _lost(of: Sample) -> int:
    return of.losses + of.points_lost


def _measured_in_r(of: Sample) -> int:
    return of.results


def _with_status(*statuses: str) -> Callable[[Sample], int]:
    return lambda of: sum(of.statuses.get(status, 0) for status in statuses)


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a set of trades: its name in the API, its unit and what it is measured on.

    `sample_name` and `sample_size` tell how many trades a rate or a mean stands on; counts have neither.
    """

    name: str
    unit: str
    measure: Callable[[Sample], Decimal | int | None]
    sample_name: str | None = None
    sample_size: Callable[[Sample], int] | None = None


#: Every metric of trades, in the order of the answer.
METRICS: Final = (
    Metric("total_signals", "alerts", lambda of: of.total_signals),
    Metric("unique_trades", "trades", lambda of: sum(of.statuses.values())),
    Metric("active_count", "trades", _with_status(ACTIVE, BE_PROTECTED)),
    Metric("completed_count", "trades", _with_status(COMPLETED)),
    Metric("pending_count", "trades", _with_status(PENDING)),
    Metric("cancelled_count", "trades", _with_status(CANCELLED)),
    Metric("unknown_count", "trades", _with_status(UNKNOWN)),
    Metric("uncertain_count", "trades", lambda of: of.uncertain),
    Metric("win_count", "trades", _won),
    Metric("loss_count", "trades", _lost),
    Metric("breakeven_count", "trades", lambda of: _decided(of) - _won(of) - _lost(of)),
    Metric("win_rate", "percent", win_rate, "win_rate_n", _decided),
    Metric("avg_mfe", "R", avg_mfe, "avg_mfe_n", lambda of: of.excursions),
    Metric("avg_r", "R", avg_r, "avg_r_n", _measured_in_r),
    Metric("expectancy_r", "R", expectancy_r, "expectancy_n", _measured_in_r),
    Metric("profit_factor", "ratio", profit_factor, "profit_factor_n", _measured_in_r),
    Metric("max_drawdown_r", "R", max_drawdown_r, "max_drawdown_n", _measured_in_r),
)


def summarise(outcomes: Iterable[Outcome], total_signals: int | None = None) -> dict[str, Any]:
    """Every metric of METRICS by name, each rate and mean followed by its sample size (`win_rate_n`, ...).

    `outcomes` holds each trade once. Counts are int; the others Decimal (percent, R, ratio), or None
    where there is nothing to measure. `total_signals` as for `sample`.
    """
    return measured(sample(outcomes, total_signals))


def measured(of: Sample) -> dict[str, Any]:
    """Every metric of METRICS of a sample, as `summarise` gives them."""
    answer: dict[str, Any] = {}
    for metric in METRICS:
        answer[metric.name] = metric.measure(of)
        if metric.sample_name is not None and metric.sample_size is not None:
            answer[metric.sample_name] = metric.sample_size(of)
    return answer


def mean_of(total: Decimal | None, count: int) -> Decimal | None:
    """The mean of `count` values with this sum, to 28 significant digits, or None when there are none."""
    return RATIO.divide(total, Decimal(count)) if total is not None and count else None
