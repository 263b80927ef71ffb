"""The facts of a trade: prices, excursions, result, and the two ways of looking back."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Any

import pytest

from state import jsontext
from state.event import SignalEvent
from state.trade import as_of, fold, known_at
from tests.state.builders import OPENING, at, entry, event, told, trade


def test_a_whole_trade() -> None:
    found = trade(
        event("SIGNAL_CREATED", 0, symbol="NQ1!", entry_price=99, session="LONDON"),
        told(
            "ENTRY",
            1,
            {
                "direction": "Bullish",
                "symbol": "NQ1!",
                "strategy_id": "fvg-1",
                "timeframe": "5",
                "session": "NY AM",
                "bias": "Bullish",
                "entry_price": Decimal("20500.25"),
                "stop_loss": Decimal("20475.00"),
                "targets": {"tp1_price": Decimal("20525.25")},
                "setup": {"setup_family": "FVG_CORE"},
                "market_state": {"trend_score": Decimal("0.8")},
                "mfe_R": 0,
            },
        ),
        told("MFE_UPDATE", 2, {"mfe_R": Decimal("1.5"), "mae_R": Decimal("-0.25"), "market_state": {"atr": 9}}),
        told("BE_TRIGGERED", 3, {"mfe_R": Decimal("1.2")}),
        told("EXIT_TAKE_PROFIT", 31.5, {"exit_price": Decimal("20550.75"), "final_mfe_R": 2, "exit_reason": "TP"}),
    )
    assert found.as_dict() == {
        "trade_id": "T1",
        "status": "COMPLETED",
        "direction": "Bullish",
        "side": "LONG",
        "symbol": "NQ1!",
        "strategy_id": "fvg-1",
        "strategy": "fvg-1",
        "timeframe": "5",
        "session": "NY AM",
        "bias": "Bullish",
        "entry_price": Decimal("20500.25"),
        "stop_loss": Decimal("20475.00"),
        "exit_price": Decimal("20550.75"),
        "risk_distance": Decimal("25.25"),
        "entry_time": "2025-11-20T14:31:00+00:00",
        "exit_time": "2025-11-20T15:01:30+00:00",
        "duration_seconds": 1830,
        "be_triggered": True,
        "current_mfe": Decimal("1.2"),
        "max_mfe": 2,
        "be_mfe": Decimal("1.5"),
        "no_be_mfe": Decimal("1.5"),
        "mae": Decimal("-0.25"),
        "final_mfe": 2,
        "exit_reason": "TP",
        "realized_r": 2,
        "targets": {"tp1_price": Decimal("20525.25")},
        "setup": {"setup_family": "FVG_CORE"},
        "market_state": {"entry": {"trend_score": Decimal("0.8")}, "latest": {"atr": 9}},
        "event_count": 5,
        "first_event_time": "2025-11-20T14:30:00+00:00",
        "last_event_time": "2025-11-20T15:01:30+00:00",
        "anomalies": [],
    }
    assert jsontext.parse(jsontext.dump(found.as_dict())) == found.as_dict()


def test_no_events_make_an_unknown_trade_that_anything_folds_onto() -> None:
    nothing = fold([])
    assert (nothing.trade_id, nothing.status, nothing.event_count, nothing.events) == ("", "UNKNOWN", 0, ())
    assert nothing.market_state == {"entry": None, "latest": None}
    one = entry()
    assert fold([one], onto=nothing) == fold([one]) == fold([], onto=fold([one]))


def test_a_trade_can_be_kept_in_a_set() -> None:
    one = entry(targets={"target_1r": 110})
    assert len({trade(one), trade(one)}) == 1


def test_the_first_entry_tells_and_others_fill_what_it_leaves_out() -> None:
    found = trade(
        event("SIGNAL_CREATED", 0, symbol="NQ1!", timeframe="5", entry_price=98),
        event("ENTRY", 1, direction="Bullish", entry_price=100, symbol="NQ1!"),
        event("ENTRY", 2, direction="Bullish", entry_price=101, stop_loss=90, strategy_name="FVG", strategy_id="s"),
    )
    assert (found.entry_price, found.stop_loss, found.risk_distance) == (Decimal(100), Decimal(90), Decimal(10))
    assert (found.timeframe, found.strategy, found.strategy_id) == ("5", "FVG", "s")
    assert found.entry_time == at(1)
    assert found.anomalies == ("DUPLICATE_ENTRY", "ENTRY_WITHOUT_STOP")


def test_a_stop_moved_to_break_even_is_not_the_risk() -> None:
    bare = entry(stop_loss=None)
    moved = event("MFE_UPDATE", 3, stop_loss=100)
    assert trade(bare, event("BE_TRIGGERED", 2), moved).stop_loss is None
    assert trade(entry(), event("BE_TRIGGERED", 2), moved).stop_loss == 90


def test_what_comes_after_an_exit_is_counted_and_not_applied() -> None:
    before = [entry(), event("MFE_UPDATE", 1, mfe=1, mae="-0.5"), event("EXIT_MANUAL", 2, exit_price=110)]
    late = [
        told("MFE_UPDATE", 3, {"mfe_R": 9, "mae_R": -9, "market_state": {"a": 1}, "setup": {"b": 1}}),
        event("EXIT_MANUAL", 4, exit_price=190, final_mfe=9),
    ]
    done, more = fold(before), fold([*before, *late])
    counted = {"event_count", "last_event_time", "anomalies"}
    assert {name for name, value in more.as_dict().items() if value != done.as_dict()[name]} == counted
    assert (more.event_count, more.last_event_time) == (5, at(4))


def test_an_entry_after_the_exit_still_tells_its_prices() -> None:
    late = entry(9, mfe=0, symbol="NQ1!")
    found = trade(event("MFE_UPDATE", 1, mfe=2), event("EXIT_MANUAL", 2, exit_price=120), late)
    assert found.entry_price == 100
    assert found.realized_r == 2
    assert found.entry_time == at(9)
    assert found.duration_seconds is None
    assert found.symbol == "NQ1!"
    assert found.current_mfe == 2


@pytest.mark.parametrize(
    ("values", "direction", "side"),
    [
        ({"direction": "Bullish"}, "Bullish", "LONG"),
        ({"direction": "SHORT"}, "Bearish", "SHORT"),
        ({"bias": "Bearish"}, "Bearish", "SHORT"),
        ({"entry_price": 100, "stop_loss": 90}, "Bullish", "LONG"),
        ({"entry_price": 100, "stop_loss": 110}, "Bearish", "SHORT"),
        ({"entry_price": 100, "stop_loss": 100}, None, None),
        ({"entry_price": 100, "bias": "unclear"}, None, None),
    ],
)
def test_direction(values: dict[str, Any], direction: str | None, side: str | None) -> None:
    found = trade(event("ENTRY", **values))
    assert (found.direction, found.side) == (direction, side)


@pytest.mark.parametrize(
    ("values", "risk"),
    [
        ({}, 10),
        ({"risk_distance": 12}, 10),
        ({"stop_loss": None, "risk_distance": 12}, 12),
        ({"stop_loss": 100, "risk_distance": 12}, 12),
        ({"stop_loss": None}, None),
        ({"stop_loss": None, "risk_distance": -1}, None),
    ],
)
def test_risk_distance(values: dict[str, Any], risk: int | None) -> None:
    assert trade(entry(**values)).risk_distance == risk


TARGETS = {"tp1_price": 110, "tp2_price": "120", "tp3_price": 130, "tp4_price": None, "note": 999}
LEGACY_TARGETS = {"target_1r": 110, "target_2r": 120, "target_5r": 150, "target_3r": None}
MULTIPLES = {"target_Rs": [1, "2.5", None, 4]}


@pytest.mark.parametrize(
    ("result", "first", "last"),
    [
        ("2", {}, ("EXIT_MANUAL", {"exit_price": 120})),
        ("-0.5", {}, ("EXIT_STOP_LOSS", {"exit_price": 95})),
        ("0.1", {}, ("EXIT_BREAK_EVEN", {"exit_price": 101})),
        ("0", {}, ("EXIT_MANUAL", {"exit_price": 100})),
        ("-2", {"direction": "Bearish", "stop_loss": 110}, ("EXIT_MANUAL", {"exit_price": 120})),
        ("2", {"direction": "Bearish", "stop_loss": 110}, ("EXIT_MANUAL", {"exit_price": 80})),
        ("2", {"direction": None}, ("EXIT_MANUAL", {"exit_price": 120})),
        ("0.5", {"stop_loss": None, "risk_distance": 40}, ("EXIT_MANUAL", {"exit_price": 120})),
        (None, {"stop_loss": None}, ("EXIT_MANUAL", {"exit_price": 120})),
        (None, {"entry_price": None}, ("EXIT_MANUAL", {"exit_price": 120})),
        ("-1", {"stop_loss": None}, ("EXIT_STOP_LOSS", {"exit_price": 90})),
        ("-1", {}, ("EXIT_STOP_LOSS", {})),
        ("0", {}, ("EXIT_BREAK_EVEN", {})),
        (None, {}, ("EXIT_MANUAL", {})),
        (None, {}, ("EXIT_TAKE_PROFIT", {})),
        ("1", {"targets": TARGETS}, ("EXIT_TAKE_PROFIT", {})),
        ("2", {"targets": TARGETS}, ("EXIT_TAKE_PROFIT", {"final_mfe": "2.99"})),
        ("3", {"targets": TARGETS}, ("EXIT_TAKE_PROFIT", {"mfe": 3})),
        ("3", {"targets": TARGETS}, ("EXIT_TAKE_PROFIT", {"mfe": 99})),
        ("1", {"targets": TARGETS}, ("EXIT_TAKE_PROFIT", {"mfe": "0.4"})),
        ("1.2", {"targets": TARGETS}, ("EXIT_TAKE_PROFIT", {"mfe": 3, "exit_price": 112})),
        (None, {"targets": TARGETS, "entry_price": None}, ("EXIT_TAKE_PROFIT", {"mfe": 3})),
        (None, {"targets": {"tp1_price": 95}}, ("EXIT_TAKE_PROFIT", {"mfe": 3})),
        ("2", {"targets": LEGACY_TARGETS}, ("EXIT_TAKE_PROFIT", {"mfe": 3})),
        ("2", {"targets": LEGACY_TARGETS, "entry_price": None}, ("EXIT_TAKE_PROFIT", {"mfe": 3})),
        ("2.5", {"targets": MULTIPLES, "entry_price": None}, ("EXIT_TAKE_PROFIT", {"mfe": 3})),
        (None, {"targets": {"target_Rs": "junk", "x": {}}}, ("EXIT_TAKE_PROFIT", {"mfe": 3})),
    ],
)
def test_realized_r(result: str | None, first: dict[str, Any], last: tuple[str, dict[str, Any]]) -> None:
    found = trade(entry(**first), event(last[0], 5, **last[1])).realized_r
    assert found == (None if result is None else Decimal(result))


def test_only_a_completed_trade_has_a_result() -> None:
    assert trade(entry(), event("EXIT_PARTIAL", 5, exit_price=120)).realized_r is None
    assert trade(event("CANCELLED", 5, exit_price=120)).realized_r is None


def test_partial_exits_do_not_enter_the_result() -> None:
    found = trade(entry(), event("EXIT_PARTIAL", 1, exit_price=190), event("EXIT_MANUAL", 2, exit_price=110))
    assert (found.exit_price, found.realized_r) == (Decimal(110), Decimal(1))


def test_the_result_has_28_digits_whatever_the_callers_context() -> None:
    events = [entry(stop_loss=97), event("EXIT_MANUAL", 1, exit_price="101.0000000000000000000000000000000000003")]
    exact = fold(events)
    with localcontext() as context:
        context.prec = 2
        assert fold(events) == exact
        assert str(fold(events).realized_r) == "0.3333333333333333333333333333"


@pytest.mark.parametrize(
    ("field", "found", "events"),
    [
        ("current_mfe", 0, [entry(mfe=0)]),
        ("current_mfe", 1, [entry(), event("MFE_UPDATE", 1, mfe=2), event("MFE_UPDATE", 2, mfe=1)]),
        ("current_mfe", 3, [entry(), event("MFE_UPDATE", 1, be_mfe=2, no_be_mfe=3)]),
        ("current_mfe", 2, [entry(), event("MFE_UPDATE", 1, be_mfe=2), event("MFE_UPDATE", 2)]),
        ("current_mfe", None, [entry()]),
        ("max_mfe", 2, [entry(), event("MFE_UPDATE", 1, mfe=2), event("MFE_UPDATE", 2, mfe=1)]),
        ("max_mfe", 3, [entry(), event("MFE_UPDATE", 1, mfe=1, be_mfe=2, no_be_mfe=3)]),
        ("max_mfe", 4, [entry(), event("EXIT_STOP_LOSS", 1, mfe=1, final_mfe=4)]),
        ("max_mfe", 0, [entry(mfe=0)]),
        ("max_mfe", None, [entry()]),
        ("be_mfe", 2, [entry(), event("MFE_UPDATE", 1, be_mfe=2), event("MFE_UPDATE", 2, be_mfe=1)]),
        ("no_be_mfe", 3, [entry(), event("MFE_UPDATE", 1, no_be_mfe=3), event("MFE_UPDATE", 2, no_be_mfe=1)]),
        ("mae", Decimal("-0.7"), [entry(), event("MFE_UPDATE", 1, mae="-0.7"), event("MFE_UPDATE", 2, mae="-0.2")]),
        ("mae", Decimal("0.7"), [entry(), event("MFE_UPDATE", 1, mae="0.7"), event("MFE_UPDATE", 2, mae="0.2")]),
        ("mae", Decimal("-0.7"), [entry(), event("MFE_UPDATE", 1, mae="0.7"), event("MFE_UPDATE", 2, mae="-0.7")]),
        ("mae", 0, [entry(mae=0)]),
        ("mae", None, [entry()]),
        ("final_mfe", None, [entry(), event("MFE_UPDATE", 1, mfe=2)]),
        ("final_mfe", 2, [entry(), event("MFE_UPDATE", 1, mfe=2), event("EXIT_MANUAL", 2)]),
        ("final_mfe", 0, [entry(), event("MFE_UPDATE", 1, mfe=2), event("EXIT_MANUAL", 2, final_mfe=0)]),
        ("final_mfe", None, [event("MFE_UPDATE", 1, mfe=2), event("CANCELLED", 2)]),
        ("exit_reason", "STOP_LOSS", [entry(), event("EXIT_SL", 2)]),
        ("exit_reason", "original_stop", [entry(), event("EXIT_STOP_LOSS", 2, exit_reason="original_stop")]),
        ("exit_reason", "opposite signal", [event("CANCELLED", 2, exit_reason="opposite signal")]),
        ("exit_reason", None, [event("CANCELLED", 2)]),
        ("exit_reason", None, [entry(exit_reason="later")]),
        ("duration_seconds", Decimal("90.25"), [entry(0), event("EXIT_MANUAL", 90.25 / 60)]),
        ("duration_seconds", 0, [entry(0), event("EXIT_MANUAL", 0)]),
        ("duration_seconds", 36000, [entry(0), event("EXIT_MANUAL", 600)]),
        ("duration_seconds", None, [entry(0)]),
    ],
)  # fmt: skip
def test_fact(field: str, found: Decimal | int | str | None, events: list[SignalEvent]) -> None:
    assert getattr(trade(*events), field) == found


def test_rows_of_the_older_system_with_wrong_columns_are_told_by_their_telemetry() -> None:
    body = {"trade_id": "T1", "direction": "Bearish", "stop_loss": "20510"}
    zero: dict[str, Any] = dict.fromkeys(("mfe", "be_mfe", "no_be_mfe", "entry_price", "exit_price"), Decimal(0))
    opened = {**body, "event_type": "ENTRY", "entry_price": "20500"}
    updated = {**body, "event_type": "MFE_UPDATE", "mfe_R": "1.75"}
    closed = {**body, "event_type": "EXIT_SL", "exit_price": 20490}
    found = trade(
        event("ENTRY", 0, telemetry={"attributes": opened}, direction="Bullish", **zero),
        event("MFE_UPDATE", 1, telemetry=updated, direction="Bullish", **zero),
        event("EXIT_SL", 2, telemetry={"attributes": closed}, direction="Bullish", **zero),
    )
    assert (found.status, found.direction, found.exit_reason) == ("COMPLETED", "Bearish", "STOP_LOSS")
    assert (found.max_mfe, found.realized_r, found.entry_price) == (Decimal("1.75"), Decimal(1), Decimal(20500))
    assert found.anomalies == ()


def test_looking_back_by_event_time_and_by_receipt() -> None:
    first = entry(0)
    late = event("EXIT_MANUAL", 5, exit_price=110, received_at=at(60))
    assert as_of([first, late], at(5)) == (first, late)
    assert as_of([first, late], at(4.9)) == (first,)
    assert known_at([first, late], at(60)) == (first, late)
    assert known_at([first, late], at(59)) == (first,)
    assert fold(known_at([first, late], at(59))).status == "ACTIVE"
    assert as_of([first, late], at(5).astimezone(timezone(timedelta(hours=-5)))) == (first, late)
    assert as_of([first], datetime(2020, 1, 1, tzinfo=UTC)) == ()


@pytest.mark.parametrize("look_back", [as_of, known_at])
def test_looking_back_needs_an_instant_with_a_zone(look_back: Any) -> None:
    with pytest.raises(ValueError, match="time zone"):
        look_back([entry()], OPENING.replace(tzinfo=None))
