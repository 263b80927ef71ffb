"""A day's snapshot: KPIs, series, extremes and portfolio of one New York trading day, and when it may be stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

HI: Final = "hi"
LO: Final = "lo"
SIDES: Final = (HI, LO)

#: The numbers that an extremes item may tell, in the order of the contract.
EXTREME_NUMBERS: Final = (
    "metric_raw",
    "metric_abs",
    "individual_pnl",
    "abs_individual_pnl",
    "percent_change",
    "cost_basis",
    "qty",
    "bid_price",
    "ask_price",
    "mid_price",
    "mid_mark_pnl",
    "liquidity_drag",
)

Number = int | Decimal


class Drop(NamedTuple):
    """Something of a snapshot that was not taken: its dotted path and the reason, in words."""

    path: str
    reason: str


class Kpi(NamedTuple):
    """One KPI: its text as sent, what the text says (`state.kpi_values`), and its place, from 1."""

    kpi: str
    value_text: str
    value_num: Decimal | None
    value_kind: str
    sort_order: int


class Point(NamedTuple):
    """One point of a KPI's series. `t` is an instant in UTC, as text ending in Z."""

    kpi: str
    t: str
    v: Number
    src: str | None


class TradeRef(NamedTuple):
    """A trade as a snapshot names it. A number is kept as its digits, and answered as a number again."""

    trade_id: str | None
    is_number: bool
    symbol: str | None
    contract_name: str | None


class Extreme(NamedTuple):
    """One item of a KPI's highest or lowest. `rank` is as given, else the place in its list; `numbers` follow
    EXTREME_NUMBERS; `item` is everything that was sent."""

    kpi: str
    side: str
    rank: int
    position: int
    trade: TradeRef
    numbers: tuple[Number | None, ...]
    mid_ts: str | None
    item: Mapping[str, Any]


class Counts(NamedTuple):
    """How much a snapshot holds."""

    kpis: int
    series_points: int
    extremes: int
    portfolio_assets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot as it is stored. `updated_at` is aware, in UTC. `overlay_extras` are parts of
    `overlay.extremes` beside byKpi that are archived and not derived from."""

    date: date
    updated_at: datetime
    headline: str
    summary: str
    source: str
    allow_empty: bool
    kpis: tuple[Kpi, ...]
    points: tuple[Point, ...]
    extremes: tuple[Extreme, ...]
    assets: tuple[TradeRef, ...]
    overlay_extras: Mapping[str, Any]
    dropped: tuple[Drop, ...]

    @property
    def counts(self) -> Counts:
        """How much there is of each part."""
        return Counts(len(self.kpis), len(self.points), len(self.extremes), len(self.assets))

    def rows(self) -> list[dict[str, Any]]:
        """The KPIs as the archive shows them."""
        return [{"kpi": row.kpi, "value": row.value_text} for row in self.kpis]

    def overlay(self, series: Mapping[str, Any]) -> dict[str, Any]:
        """Series (as the caller writes them), extremes and portfolio under the contract's names, for the archive."""
        extremes: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
        for extreme in self.extremes:
            extremes.setdefault(extreme.kpi, {HI: [], LO: []})[extreme.side].append(extreme.item)
        return {
            "seriesByKpi": series,
            "extremes": {"byKpi": extremes, **self.overlay_extras},
            "portfolioAssets": [
                {"trade_id": as_sent(trade), "symbol": trade.symbol, "contract_name": trade.contract_name}
                for trade in self.assets
            ],
        }


def as_sent(trade: TradeRef) -> str | Number | None:
    """The trade's id in the JSON type in which it was sent."""
    if trade.trade_id is None or not trade.is_number:
        return trade.trade_id
    number = Decimal(trade.trade_id)
    return int(number) if trade.trade_id.lstrip("-").isdigit() else number


@dataclass(frozen=True, slots=True)
class Head:
    """What must be known of a stored snapshot before another takes its place."""

    version: int
    updated_at: datetime
    is_empty: bool
    digest: str


class Verdict(StrEnum):
    """What becomes of a snapshot that is offered."""

    STORE = "store"
    SAME = "same"
    OLDER = "older"
    EMPTY = "empty"


def judge(stored: Head | None, *, updated_at: datetime, is_empty: bool, digest: str, allow_empty: bool) -> Verdict:
    """Whether an offered snapshot takes the place of the stored one of its date.

    SAME: it is stored already, so a repeated delivery changes nothing. OLDER: it tells of an earlier time than the
    stored one. EMPTY: it would replace data with nothing, and was not told to.
    """
    if stored is None:
        return Verdict.STORE
    if stored.digest == digest:
        return Verdict.SAME
    if updated_at < stored.updated_at:
        return Verdict.OLDER
    if is_empty and not stored.is_empty and not allow_empty:
        return Verdict.EMPTY
    return Verdict.STORE


def zulu(instant: datetime, *, timespec: str = "auto") -> str:
    """An aware instant as ISO 8601 in UTC ending in Z; a fraction only where there is one."""
    utc = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    return utc.isoformat(timespec=timespec)[:-6] + "Z"


def stamp(instant: datetime) -> str:
    """A snapshot's time as the contract shows it: to the millisecond, finer only where it is."""
    return zulu(instant, timespec="microseconds" if instant.microsecond % 1000 else "milliseconds")
