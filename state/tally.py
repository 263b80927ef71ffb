"""What trades contribute to totals: counts and exact sums by what they are shown by, and what a change changes.

A tally is plain values under the names of COLUMNS, with its key: the hour of New York's clock in which the trade
began, its session, its status, and whether its result is uncertain. Tallies of the same key add up, so the totals
over any number of trades follow a change of one trade by two of them: the old one taken away and the new one added.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from typing import Any, Final

from state.lifecycle import COMPLETED
from state.newyork import to_new_york
from state.r_multiple import EXACT
from state.statistics import ENTERED, Sample

KEY: Final = ("hour", "session", "status", "uncertain")
COLUMNS: Final = (
    "trades", "events", "mfe_n", "mfe_sum", "r_n", "r_sum", "wins", "wins_sum", "losses", "losses_sum",
    "points_won", "points_lost", "points_even",
)  # fmt: skip
_ZERO: Final = Decimal(0)

Tally = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """What one trade's summary contributes; times are aware."""

    trade_id: str
    status: str
    session: str | None
    uncertain: bool
    trade_time: datetime
    exit_time: datetime | None
    event_count: int
    max_mfe: Decimal | None
    realized_r: Decimal | None
    realized_points: Decimal | None

    @property
    def key(self) -> tuple[Any, ...]:
        return to_new_york(self.trade_time).hour, self.session, self.status, self.uncertain

    @property
    def amounts(self) -> tuple[Any, ...]:
        """The values of COLUMNS."""
        mfe, r = self.max_mfe, self.realized_r
        points = self.realized_points if r is None else None
        won, lost = r is not None and r > 0, r is not None and r < 0
        return (
            1, self.event_count, int(mfe is not None), mfe or _ZERO, int(r is not None), r or _ZERO,
            int(won), r if won else _ZERO, int(lost), r if lost else _ZERO,
            int(points is not None and points > 0), int(points is not None and points < 0),
            int(points is not None and points == 0),
        )  # fmt: skip

    @property
    def result(self) -> tuple[date, datetime, str, Decimal] | None:
        """Of a decided trade the UTC day of its exit, and what its place and its step there depend on."""
        if self.status != COMPLETED or self.uncertain or self.realized_r is None or self.exit_time is None:
            return None
        return self.exit_time.astimezone(UTC).date(), self.exit_time, self.trade_id, self.realized_r


def _add(one: Any, other: Any) -> Any:
    return EXACT.add(one, other) if isinstance(one, Decimal) else one + other


def _negative(value: Any) -> Any:
    return EXACT.minus(value) if isinstance(value, Decimal) else -value


def change(before: Iterable[Part], after: Iterable[Part]) -> list[Tally]:
    """The tallies by which the totals change when the trades of `before` become those of `after`."""
    sums: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    signed = [(part.key, tuple(map(_negative, part.amounts))) for part in before]
    signed += [(part.key, part.amounts) for part in after]
    for key, amounts in signed:
        known = sums.get(key)
        sums[key] = amounts if known is None else tuple(map(_add, known, amounts))
    return [dict(zip(KEY + COLUMNS, key + amounts, strict=True)) for key, amounts in sums.items() if any(amounts)]


def changed_days(before: Iterable[Part], after: Iterable[Part]) -> set[date]:
    """The UTC days whose decided results are not the same afterwards."""
    results = {part.result for part in before} ^ {part.result for part in after}
    return {result[0] for result in results if result is not None}


def group(tallies: Iterable[Mapping[str, Any]], name: str) -> dict[Any, Tally]:
    """The tallies added up by one part of their key, in its order; None comes last."""
    found: dict[Any, Tally] = {}
    for tally in sorted(tallies, key=lambda one: (one[name] is None, one[name])):
        known = found.setdefault(tally[name], dict.fromkeys(COLUMNS, 0))
        for column in COLUMNS:
            known[column] = _add(tally[column], known[column])
    return found


def sample_of(tallies: Iterable[Mapping[str, Any]], max_drawdown: Decimal | None, loose: int = 0) -> Sample:
    """The sample of the trades that were tallied; `max_drawdown` is that of the decided ones, in R, and `loose` are
    alerts that belong to no trade."""
    rows = list(tallies)
    decided = [row for row in rows if row["status"] == COMPLETED and not row["uncertain"]]
    entered = [row for row in rows if row["status"] in ENTERED]
    statuses: Counter[str] = Counter()
    for row in rows:
        statuses[row["status"]] += row["trades"]

    def total(among: Iterable[Mapping[str, Any]], column: str) -> Any:
        return reduce(_add, (row[column] for row in among), _ZERO if column.endswith("_sum") else 0)

    results = total(decided, "r_n")
    return Sample(
        total_signals=total(rows, "events") + loose,
        statuses=statuses,
        results=results,
        wins=total(decided, "wins"),
        wins_sum=total(decided, "wins_sum"),
        losses=total(decided, "losses"),
        losses_sum=total(decided, "losses_sum"),
        excursions=total(entered, "mfe_n"),
        excursions_sum=total(entered, "mfe_sum"),
        points_won=total(decided, "points_won"),
        points_lost=total(decided, "points_lost"),
        points_even=total(decided, "points_even"),
        uncertain=total((row for row in rows if row["uncertain"]), "trades"),
        max_drawdown=max_drawdown if results else None,
    )
