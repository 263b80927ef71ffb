"""The latest state of an order from its records, in whatever order they come.

`merge` is associative, commutative and idempotent, so records may arrive in any order, in any batches, and more
than once. The statement that keeps the table of orders follows the same rule.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from state.telemetry.records import UNKNOWN_SCRIPT, Row

T = TypeVar("T")

#: Of two records of the same instant the one further on in an order's life counts.
_RANKS: Final[Mapping[str, int]] = {
    "pending": 0,
    "partially_filled": 1,
    "converted": 2,
    "rejected": 3,
    "expired": 4,
    "canceled": 5,
    "filled": 6,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderState:
    """One order: its latest status, and the times (aware) that its life is measured by."""

    profile_id: int
    order_id: str
    status: str
    status_rank: int
    status_at: datetime
    first_at: datetime
    opened_at: datetime | None
    filled_at: datetime | None
    script_name: str | None
    script_at: datetime | None
    slippage: Decimal | None
    slippage_at: datetime | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def order_state(row: Row) -> OrderState:
    """The state that one order record alone tells."""
    told, at = row.columns, row.recorded_at
    script = told["script_name"] if told["script_name"] != UNKNOWN_SCRIPT else None
    filled = told["status"] == "filled"
    return OrderState(
        profile_id=row.profile_id,
        order_id=told["order_id"],
        status=told["status"],
        status_rank=_RANKS[told["status"]],
        status_at=at,
        first_at=at,
        opened_at=None if filled else at,
        filled_at=at if filled else None,
        script_name=script,
        script_at=at if script else None,
        slippage=told["slippage"],
        slippage_at=at if told["slippage"] is not None else None,
    )


def merge(one: OrderState, other: OrderState) -> OrderState:
    """The state that both tell together."""
    status_at, status_rank, status = max(
        (one.status_at, one.status_rank, one.status), (other.status_at, other.status_rank, other.status)
    )
    script_at, script = _later((one.script_at, one.script_name), (other.script_at, other.script_name))
    slippage_at, slippage = _later((one.slippage_at, one.slippage), (other.slippage_at, other.slippage))
    return OrderState(
        profile_id=one.profile_id,
        order_id=one.order_id,
        status=status,
        status_rank=status_rank,
        status_at=status_at,
        first_at=min(one.first_at, other.first_at),
        opened_at=_earlier(one.opened_at, other.opened_at),
        filled_at=_earlier(one.filled_at, other.filled_at),
        script_name=script,
        script_at=script_at,
        slippage=slippage,
        slippage_at=slippage_at,
    )


def _later(one: tuple[datetime | None, T], other: tuple[datetime | None, T]) -> tuple[datetime | None, T]:
    known = [pair for pair in (one, other) if pair[0] is not None]
    return max(known, key=lambda pair: (pair[0], pair[1])) if known else one


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def order_states(rows: Iterable[Row]) -> list[OrderState]:
    """One state per order of these order records, by (profile_id, order_id); records without an id tell of none."""
    states: dict[tuple[int, str], OrderState] = {}
    for row in rows:
        if row.columns["order_id"] is None:
            continue
        state = order_state(row)
        key = (state.profile_id, state.order_id)
        states[key] = merge(states[key], state) if key in states else state
    return [states[key] for key in sorted(states)]
