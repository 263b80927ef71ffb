"""Where a strategy's results come from: pure functions over finished and running trades.

Every figure comes with the number of trades that it stands on. R values are in R. A mean or a rate on fewer than
MIN_TRADES trades is not given: what a handful of trades says is chance.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import accumulate, groupby
from typing import Any, Final

from state.lifecycle import COMPLETED
from state.newyork import to_new_york, trading_date
from state.r_multiple import EXACT, RATIO
from state.statistics import Outcome, summarise
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
    """What the analysis needs of one trade: R values in R, times aware, `traded_at` the time of its entry."""

    trade_id: str
    status: str
    traded_at: datetime
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

    @property
    def decided(self) -> bool:
        """Whether the trade is finished with a known result."""
        return self.status == COMPLETED and self.realized_r is not None

    @property
    def outcome(self) -> Outcome:
        return Outcome(
            trade_id=self.trade_id,
            status=self.status,
            realized_r=self.realized_r,
            max_mfe=self.max_mfe,
            exit_time=self.exit_time,
            event_count=self.event_count,
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


@dataclass(frozen=True, slots=True)
class Point:
    """One finished trade on the equity curve: cumulative R after it, and how far that lies below the peak (<= 0)."""

    at: datetime | None
    trade_id: str
    equity: Decimal
    underwater: Decimal


def equity_curve(outcomes: Iterable[Outcome]) -> list[Point]:
    """Cumulative realized R in order of exit (then trade id), those without an exit time last; the peak starts at 0.

    The last point's `underwater` is the current drawdown, the smallest one the largest, as in
    `state.statistics.max_drawdown_r`.
    """
    decided = [row for row in outcomes if row.status == COMPLETED and row.realized_r is not None]
    decided.sort(key=lambda row: (row.exit_time or _END_OF_TIME, row.trade_id))
    sums = list(accumulate((row.realized_r or _ZERO for row in decided), EXACT.add))
    peaks = accumulate(sums, max, initial=_ZERO)
    next(peaks)
    return [
        Point(row.exit_time, row.trade_id, equity, EXACT.subtract(equity, peak))
        for row, equity, peak in zip(decided, sums, peaks, strict=True)
    ]


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
    """Statistics of the trades that share a key: {name, n, trades, net_r, expectancy_r, win_rate, profit_factor}.

    `n` counts the decided trades, `trades` all. Rates and means are None below MIN_TRADES. Keys of `order` come
    first, in that order; the others by number of trades; what has no key is named "(none)" and comes last.
    """
    groups: dict[str, list[Result]] = {}
    for row in results:
        groups.setdefault(key(row) or "(none)", []).append(row)
    places = {name: place for place, name in enumerate(order)}

    def place(name: str) -> tuple[bool, int, int, str]:
        return name == "(none)", places.get(name, len(places)), -len(groups[name]), name

    return [{"name": name, **figures(groups[name])} for name in sorted(groups, key=place)]


def figures(rows: Sequence[Result]) -> dict[str, Any]:
    """The figures of one group, by the definitions of `state.statistics`."""
    stats = summarise([row.outcome for row in rows])
    count = stats["win_rate_n"]
    enough = count >= MIN_TRADES
    return {
        "trades": len(rows),
        "n": count,
        "net_r": total(row.realized_r for row in rows if row.decided and row.realized_r is not None) if count else None,
        **{name: stats[name] if enough else None for name in ("expectancy_r", "win_rate", "profit_factor")},
    }


def by_session(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Grouped by session, in the order of the trading day."""
    return grouped(results, lambda row: row.session, SESSIONS)


def by_hour(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Grouped by New York's hour of the entry, "00:00" to "23:00"."""
    return grouped(
        results, lambda row: f"{to_new_york(row.traded_at).hour:02}:00", [f"{hour:02}:00" for hour in range(24)]
    )


def by_weekday(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Grouped by New York's day of the week of the entry."""
    return grouped(results, lambda row: WEEKDAYS[to_new_york(row.traded_at).weekday()], WEEKDAYS)


def calendar(results: Iterable[Result]) -> dict[date, dict[str, Any]]:
    """Per New York day of the entry: {trades, n, net_r}; net_r is None when no trade of the day is decided."""
    days: dict[date, dict[str, Any]] = {}
    ordered = sorted(((trading_date(row.traded_at), row) for row in results), key=lambda pair: pair[0])
    for day, pairs in groupby(ordered, key=lambda pair: pair[0]):
        rows = [row for _, row in pairs]
        decided = [row.realized_r for row in rows if row.decided and row.realized_r is not None]
        days[day] = {"trades": len(rows), "n": len(decided), "net_r": total(decided) if decided else None}
    return days


def rolling_expectancy(outcomes: Iterable[Outcome], window: int = WINDOW) -> list[tuple[datetime | None, Decimal]]:
    """The mean realized R of the newest `window` decided trades after each exit; [] until there are that many."""
    decided = [row for row in outcomes if row.status == COMPLETED and row.realized_r is not None]
    decided.sort(key=lambda row: (row.exit_time or _END_OF_TIME, row.trade_id))
    sums = list(accumulate((row.realized_r or _ZERO for row in decided), EXACT.add, initial=_ZERO))
    return [
        (decided[end - 1].exit_time, RATIO.divide(EXACT.subtract(sums[end], sums[end - window]), Decimal(window)))
        for end in range(window, len(decided) + 1)
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
        if row.status == COMPLETED and row.be_mfe is not None and row.no_be_mfe is not None
    ]
    return {
        "n": len(pairs),
        "be_mfe": mean([be for be, _ in pairs]),
        "no_be_mfe": mean([no_be for _, no_be in pairs]),
        "targets": [_at_target(pairs, Decimal(target)) for target in TARGETS],
    }


def _at_target(pairs: Sequence[tuple[Decimal, Decimal]], target: Decimal) -> dict[str, Any]:
    with_be = [target if be >= target else (_ZERO if be >= 1 else Decimal(-1)) for be, _ in pairs]
    without = [target if no_be >= target else Decimal(-1) for _, no_be in pairs]
    return {
        "target": target,
        "be_reached": mean([Decimal(100 if be >= target else 0) for be, _ in pairs]),
        "no_be_reached": mean([Decimal(100 if no_be >= target else 0) for _, no_be in pairs]),
        "be_expectancy": mean(with_be),
        "no_be_expectancy": mean(without),
    }


def period_figures(outcomes: Sequence[Outcome], curve: Sequence[Point]) -> dict[str, Any]:
    """The headline of a period: the statistics of `summarise`, with net_r and the current drawdown in R (>= 0).

    `curve` is the `equity_curve` of the same outcomes; `n` is the number of its points.
    """
    return {
        **summarise(outcomes),
        "net_r": curve[-1].equity if curve else None,
        "current_drawdown_r": EXACT.minus(curve[-1].underwater) if curve else None,
        "n": len(curve),
    }


def change(now: Mapping[str, Any], before: Mapping[str, Any], name: str) -> Decimal | None:
    """How much a figure differs from the period before; None when either has nothing to measure."""
    if now.get(name) is None or before.get(name) is None:
        return None
    return EXACT.subtract(Decimal(now[name]), Decimal(before[name]))
