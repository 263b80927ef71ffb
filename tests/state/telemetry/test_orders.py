"""An order's state does not depend on the order, the grouping or the repetition of its records."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from state.telemetry.orders import merge, order_state, order_states
from state.telemetry.records import ORDER, ORDER_STATUSES, Row

START = datetime(2026, 1, 5, tzinfo=UTC)


def row(order_id: str | None, status: str, minute: int, script: str, slippage: int | None) -> Row:
    columns = {
        "order_id": order_id,
        "status": status,
        "script_name": script,
        "slippage": None if slippage is None else Decimal(slippage),
    }
    return Row(ORDER, 1, START + timedelta(minutes=minute), columns)


rows = st.builds(
    row,
    st.sampled_from(["a", "b", None]),
    st.sampled_from(ORDER_STATUSES),
    st.integers(0, 4),
    st.sampled_from(["s1", "s2", "unknown"]),
    st.none() | st.integers(0, 3),
)


@given(st.lists(rows, max_size=12), st.randoms())
def test_any_arrival_gives_the_same_state(records: list[Row], random: Random) -> None:
    expected = order_states(records)
    again = [*records, *records[:3]]
    random.shuffle(again)
    assert order_states(again) == expected


@given(st.lists(rows.filter(lambda one: one.columns["order_id"] == "a"), min_size=2, max_size=8), st.integers(1, 7))
def test_groups_may_be_merged(records: list[Row], cut: int) -> None:
    states = [order_state(record) for record in records]
    parts = [part for part in (states[:cut], states[cut:]) if part]
    assert reduce(merge, [reduce(merge, part) for part in parts]) == reduce(merge, states)


def test_the_newest_record_decides_and_the_fill_keeps_its_first_time() -> None:
    records = [row("a", "filled", 3, "s1", 1), row("a", "pending", 1, "unknown", None), row("a", "filled", 2, "s1", 2)]
    (state,) = order_states(records)
    assert (state.status, state.status_at, state.slippage) == ("filled", START + timedelta(minutes=3), Decimal(1))
    assert (state.opened_at, state.filled_at) == (START + timedelta(minutes=1), START + timedelta(minutes=2))
    assert state.script_name == "s1"
