"""Where a strategy's results come from: pure functions over finished and running trades.

Every figure comes with the number of trades that it stands on. R values are in R. A mean or a rate on fewer than
MIN_TRADES trades is not given: what a handful of trades says is chance.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import accumulate
from typing import Any, Final, NamedTuple

from state.lifecycle import COMPLETED
from state.r_multiple import EXACT, RATIO, r_at
from state.statistics import Outcome, Sample, measured
from state.vocabulary import SESSIONS

#: Below this many trades no rate and no mean is told.
MIN_TRADES: Final = 5
#: Trades that a rolling mean looks back on.
WINDOW: Final = 20
#: Lower edges of the R histogram's bins, each of half an R; what lies outside goes to the first and last bin.
HISTOGRAM_EDGES: Final = tuple(Decimal(step) / 2 for step in range(-6, 21))
#: Targets in R for which the two ways of handling the stop are compared.
TARGETS: Final = (1, 2, 3, 5, 10, 20)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_ZERO: Final = Decimal(0)
_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the analysis needs of one trade: R values in R, times aware, that of its entry on New York's clock."""

    trade_id: str
    status: str
    entered_ny: datetime
    exit_time: datetime | None = None
    session: str | None = None
    strategy: str | None = None
    symbol: str | None = None
    direction: str | None = None
    setup: str | None = None
    realized_r: Decimal | None = None
    max_mfe: Decimal | None = None
    be_mfe: Decimal | None = None
    no_be_mfe: Decimal | None = None
    mae: Decimal | None = None
    event_count: int = 1
    realized_points: Decimal | None = None
    uncertain: bool = False

    @property
    def decided(self) -> bool:
        """Whether the trade is finished with a result in R that can be counted on."""
        return self.status == COMPLETED and self.realized_r is not None and not self.uncertain

    @property
    def outcome(self) -> Outcome:
        return Outcome(
            trade_id=self.trade_id,
            status=self.status,
            realized_r=self.realized_r,
            max_mfe=self.max_mfe,
            exit_time=self.exit_time,
            event_count=self.event_count,
            realized_points=self.realized_points,
            uncertain=self.uncertain,
        )


def mean(values: Sequence[Decimal]) -> Decimal | None:
    """The mean, to 28 significant digits; None of fewer than MIN_TRADES values."""
    return RATIO.divide(total(values), Decimal(len(values))) if len(values) >= MIN_TRADES else None


def total(values: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = _ZERO
    for value in values:
        result = EXACT.add(result, value)
    return result


class Point(NamedTuple):
    """One finished trade on the equity curve: cumulative R after it, and how far that lies below the peak (<= 0)."""

    at: datetime | None
    equity: Decimal
    underwater: Decimal


def equity_curve(steps: Iterable[tuple[datetime | None, Decimal]]) -> list[Point]:
    """Cumulative R after each step (time of exit, realized R), taken in their order; the peak starts at 0.

    The last point's `underwater` is the current drawdown, the smallest one the largest, as in
    `state.statistics.max_drawdown_r`.
    """
    taken = list(steps)
    sums = list(accumulate((result for _, result in taken), EXACT.add))
    peaks = accumulate(sums, max, initial=_ZERO)
    next(peaks)
    return list(map(Point, (at for at, _ in taken), sums, map(EXACT.subtract, sums, peaks)))


def steps_of(outcomes: Iterable[Outcome]) -> list[tuple[datetime | None, Decimal]]:
    """The steps of the decided trades' equity curve: by exit, then id, those without an exit time last."""
    return [(row.exit_time, row.realized_r) for row in _by_exit(outcomes) if row.realized_r is not None]


def _by_exit(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The decided trades in order of exit, then id; those without an exit time come last."""
    decided = [row for row in outcomes if row.status == COMPLETED and row.realized_r is not None and not row.uncertain]
    return sorted(decided, key=lambda row: (row.exit_time or _END_OF_TIME, row.trade_id))


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most `most` points that keep the curve's outline: of each stretch its lowest, its highest and its last."""
    if len(points) <= most:
        return list(points)
    length = -(-3 * len(points) // most)
    kept: dict[int, Point] = {}
    for start in range(0, len(points), length):
        stretch = range(start, min(start + length, len(points)))
        for place in (
            min(stretch, key=lambda i: points[i].equity),
            max(stretch, key=lambda i: points[i].equity),
            stretch[-1],
        ):
            kept[place] = points[place]
    return [kept[place] for place in sorted(kept)]


def histogram(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Decided trades by realized R, in bins of half an R: {from, to, count}, `from` included, `to` not.

    The first bin takes everything below its upper edge, the last everything from its lower edge on.
    """
    counts = [0] * len(HISTOGRAM_EDGES)
    for row in results:
        if row.decided and row.realized_r is not None:
            counts[max(0, bisect_right(HISTOGRAM_EDGES, row.realized_r) - 1)] += 1
    ends = [*HISTOGRAM_EDGES[1:], None]
    return [
        {"from": low, "to": high, "count": count}
        for low, high, count in zip(HISTOGRAM_EDGES, ends, counts, strict=True)
    ]


def grouped(
    results: Iterable[Result], key: Callable[[Result], str | None], order: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The figures of the trades that share a key: {name, ...}, see `figures`.

    Rates and means are None below MIN_TRADES. Keys of `order` come
    first, in that order; the others by number of trades; what has no key is named "(none)" and comes last.
    """
    groups: dict[str, list[Result]] = {}
    for row in results:
        groups.setdefault(key(row) or "(none)", []).append(row)
    places = {name: place for place, name in enumerate(order)}

    def place(name: str) -> tuple[bool, int, int, str]:
        return name == "(none)", places.get(name, len(places)), -len(groups[name]), name

    return [{"name": name, **figures(groups[name])} for name in sorted(groups, key=place)]


def figures(rows: Iterable[Result]) -> dict[str, Any]:
    """The figures of one group, by the definitions of `state.statistics`.

    {trades, n, win_rate_n, net_r, expectancy_r, win_rate, profit_factor}: `trades` counts all, `n` those decided in R,
    which all but the win rate stand on; `win_rate_n` also those of which only the points are known.
    """
    held = list(rows)
    of = _sample(held)
    told = measured(of)
    return {
        "trades": len(held),
        "n": of.results,
        "win_rate_n": told["win_rate_n"],
        "net_r": of.results_sum if of.results else None,
        "win_rate": told["win_rate"] if told["win_rate_n"] >= MIN_TRADES else None,
        **{name: told[name] if of.results >= MIN_TRADES else None for name in ("expectancy_r", "profit_factor")},
    }


def _sample(rows: Iterable[Result]) -> Sample:
    """What these figures need of a group's sample: results and points, in one pass."""
    counted = [row for row in rows if row.status == COMPLETED and not row.uncertain]
    results = [row.realized_r for row in counted if row.realized_r is not None]
    wins, losses = [result for result in results if result > 0], [result for result in results if result < 0]
    points = [row.realized_points for row in counted if row.realized_r is None and row.realized_points is not None]
    won, lost = sum(brought > 0 for brought in points), sum(brought < 0 for brought in points)
    return Sample(
        total_signals=0,
        statuses={},
        results=len(results),
        wins=len(wins),
        wins_sum=total(wins),
        losses=len(losses),
        losses_sum=total(losses),
        excursions=0,
        excursions_sum=_ZERO,
        points_won=won,
        points_lost=lost,
        points_even=len(points) - won - lost,
        uncertain=0,
        max_drawdown=None,
    )


def by_session(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Grouped by session, in the order of the trading day."""
    return grouped(results, lambda row: row.session, SESSIONS)


def by_hour(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Grouped by New York's hour of the entry, "00:00" to "23:00"."""
    return grouped(results, lambda row: f"{row.entered_ny.hour:02}:00", [f"{hour:02}:00" for hour in range(24)])


def by_weekday(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Grouped by New York's day of the week of the entry."""
    return grouped(results, lambda row: WEEKDAYS[row.entered_ny.weekday()], WEEKDAYS)


def calendar(results: Iterable[Result]) -> dict[date, dict[str, Any]]:
    """Per New York day of the entry: {trades, n, net_r}; net_r is None when no trade of the day is decided."""
    days: dict[date, dict[str, Any]] = {}
    of_day: dict[date, list[Result]] = {}
    for row in results:
        of_day.setdefault(row.entered_ny.date(), []).append(row)
    for day, rows in sorted(of_day.items()):
        decided = [row.realized_r for row in rows if row.decided and row.realized_r is not None]
        days[day] = {"trades": len(rows), "n": len(decided), "net_r": total(decided) if decided else None}
    return days


def rolling_expectancy(
    steps: Sequence[tuple[datetime | None, Decimal]], window: int = WINDOW, every: int = 1
) -> list[tuple[datetime | None, Decimal]]:
    """The mean realized R of the newest `window` steps after each of them, or each `every`th; [] until there are that
    many."""
    sums = list(accumulate((result for _, result in steps), EXACT.add, initial=_ZERO))
    return [
        (steps[end - 1][0], RATIO.divide(EXACT.subtract(sums[end], sums[end - window]), Decimal(window)))
        for end in range(window, len(steps) + 1, every)
    ]


def stop_strategies(results: Iterable[Result]) -> dict[str, Any]:
    """Moving the stop to the entry at +1R (`be_mfe`) against leaving it (`no_be_mfe`), on the same finished trades.

    For a fixed target of T R: with break-even a trade earns T when be_mfe reached T, else 0 when it reached 1, else
    -1; without, T when no_be_mfe reached T, else -1. Costs and slippage are left out, and a trade closed by hand
    counts as if it had run to its stop. Answers {n, be_mfe, no_be_mfe, targets: [{target, be_reached, no_be_reached
    (percent), be_expectancy, no_be_expectancy}]}; means and rates are None below MIN_TRADES.
    """
    pairs = [
        (row.be_mfe, row.no_be_mfe)
        for row in results
        if row.status == COMPLETED and not row.uncertain and row.be_mfe is not None and row.no_be_mfe is not None
    ]
    return {
        "n": len(pairs),
        "be_mfe": mean([be for be, _ in pairs]),
        "no_be_mfe": mean([no_be for _, no_be in pairs]),
        "targets": [_at_target(pairs, Decimal(target)) for target in TARGETS],
    }


def _at_target(pairs: Sequence[tuple[Decimal, Decimal]], target: Decimal) -> dict[str, Any]:
    n = len(pairs)
    be_reached, be_stopped = sum(be >= target for be, _ in pairs), sum(be < 1 for be, _ in pairs)
    reached = sum(no_be >= target for _, no_be in pairs)

    def share(part: Decimal | int) -> Decimal | None:
        return RATIO.divide(Decimal(part), Decimal(n)) if n >= MIN_TRADES else None

    return {
        "target": target,
        "be_reached": share(100 * be_reached),
        "no_be_reached": share(100 * reached),
        "be_expectancy": share(target * be_reached - be_stopped),
        "no_be_expectancy": share(target * reached - (n - reached)),
    }


def period_figures(of: Sample, current_drawdown: Decimal | None) -> dict[str, Any]:
    """The headline of a period: every metric of its sample, with net_r and the current drawdown in R (>= 0).

    `n` is the number of decided trades that these two stand on.
    """
    return {
        **measured(of),
        "net_r": of.results_sum if of.results else None,
        "current_drawdown_r": current_drawdown if of.results else None,
        "n": of.results,
    }


def unrealised_r(trade: Mapping[str, Any], price: Decimal | None) -> Decimal | None:
    """What a running trade (`Trade.as_dict`) would bring at a price, in R; None where its risk is not known."""
    entry, risk, direction = trade["entry_price"], trade["risk_distance"], trade["direction"]
    if price is None or entry is None or not risk or direction is None:
        return None
    return r_at(price, EXACT.create_decimal(entry), EXACT.create_decimal(risk), direction)


def change(now: Mapping[str, Any], before: Mapping[str, Any], name: str) -> Decimal | None:
    """How much a figure differs from the period before; None when either has nothing to measure."""
    if now.get(name) is None or before.get(name) is None:
        return None
    return EXACT.subtract(Decimal(now[name]), Decimal(before[name]))
