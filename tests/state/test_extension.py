"""A trade that goes on from what is known of it is the trade that all of its events make, or is not told at all."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from state import jsontext
from state.event import SignalEvent
from state.extension import extended, restored
from state.trade import Trade, fold
from tests.state.builders import at, entry, event, told
from tests.state.test_fold_properties import EVENTS, quick, signal_events


def kept(trade: Trade) -> dict[str, Any]:
    """A trade as its summary holds it."""
    found: dict[str, Any] = jsontext.stored(jsontext.dump(trade.as_dict()))
    return found


def go_on(before: list[SignalEvent], after: list[SignalEvent]) -> Trade | None:
    known = restored(kept(fold(before)))
    assert known is not None
    assert kept(known) == kept(fold(before))
    return extended(known, after)


@quick
@given(EVENTS, st.lists(signal_events(), min_size=1, max_size=3))
def test_whatever_comes_is_told_right_or_not_at_all(before: list[SignalEvent], after: list[SignalEvent]) -> None:
    known = {item.event_key for item in before}
    new = [item for item in after if item.event_key not in known]
    found = go_on(before, new)
    if found is not None:
        assert kept(found) == kept(fold([*before, *new]))


MULTIPLES = st.none() | st.sampled_from([Decimal(text) for text in ("0", "0.5", "1", "1.0", "1.00", "-0.5", "3")])
MOVES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "mfe_R": MULTIPLES, "be_mfe": MULTIPLES, "no_be_mfe": MULTIPLES, "mae_R": MULTIPLES,
            "symbol": st.sampled_from(["NQ1!", "CME:nq1!", "ES1!"]), "direction": st.sampled_from(["LONG", "SHORT"]),
            "session": st.just("NY AM"), "strategy_id": st.just("S"), "strategy_name": st.sampled_from(["S", "T"]),
            "stop_loss": st.just(95), "market_state": st.fixed_dictionaries({"score": st.integers(0, 9)}),
            "setup": st.just({"family": "A"}), "price": st.just(101),
        },
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


@settings(max_examples=400)
@given(MOVES, MOVES, st.booleans())
def test_moves_of_a_running_trade(before: list[Any], after: list[Any], protected: bool) -> None:
    start = [entry(symbol="NQ1!", strategy_id="S")] + ([event("BE_TRIGGERED", 0.5, mfe=1)] if protected else [])
    first = [told("MFE_UPDATE", 1 + number, body) for number, body in enumerate(before)]
    second = [told("MFE_UPDATE", 10 + number, body) for number, body in enumerate(after)]
    found = go_on([*start, *first], second)
    whole = fold([*start, *first, *second])
    if found is None:
        told_names = {name for body in after for name in body}
        assert told_names & {"symbol", "direction", "session", "strategy_name", "setup"}
    else:
        assert kept(found) == kept(whole)
        assert found.events == tuple(second)


def test_ordinary_moves_need_no_fold() -> None:
    body = {"direction": "LONG", "symbol": "NQ1!", "mfe_R": "1.5", "entry_price": 100, "stop_loss": 90}
    found = go_on([entry(symbol="NQ1!", risk_distance=10)], [told("MFE_UPDATE", 5, body)])
    assert found is not None
    assert (found.max_mfe, found.event_count, found.last_event_time) == (Decimal("1.5"), 2, at(5))


def test_what_needs_all_events_is_not_told() -> None:
    start = [entry(symbol="NQ1!"), told("MFE_UPDATE", 5, {"mfe_R": 1})]
    late = told("MFE_UPDATE", 5, {"mfe_R": 2})
    assert go_on(start, [late]) is None
    assert go_on(start, [told("MFE_UPDATE", 4, {"mfe_R": 2})]) is None
    for name in ("ENTRY", "EXIT_STOP_LOSS", "BE_TRIGGERED", "EXIT_PARTIAL", "CANCELLED", "junk"):
        assert go_on(start, [event(name, 9)]) is None
    assert go_on(start, []) is None
    assert go_on(start, [told("MFE_UPDATE", 9, {"symbol": "ES1!"})]) is None
    assert go_on(start, [told("MFE_UPDATE", 9, {"strategy_id": "new"})]) is None
    same = {"strategy_id": "S", "strategy_name": "S", "symbol": "NQ1!"}
    named = [entry(symbol="NQ1!", strategy_id="S")]
    assert go_on(named, [told("MFE_UPDATE", 9, same)]) is not None
    for odd in ({"direction": "SHORT"}, {"symbol": "ES1!"}, {"strategy_name": "T"}):
        assert go_on(named, [told("MFE_UPDATE", 9, {**same, **odd})]) is None
    assert go_on([*start, event("EXIT_MANUAL", 7)], [told("MFE_UPDATE", 9, {"mfe_R": 2})]) is None


def test_a_text_that_is_no_trade_is_not_restored() -> None:
    assert restored({**kept(fold([entry()])), "more": 1}) is None
    assert restored({}) is None
