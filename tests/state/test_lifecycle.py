"""Status and sequence: each rule of the trade's life with the anomalies that tell when it was stretched."""

import pytest

from state.anomalies import ANOMALIES
from state.event import SignalEvent
from state.lifecycle import OPEN_STATUSES, STATUSES
from tests.state.builders import entry, event, trade

SIGNAL = event("SIGNAL_CREATED", 0)
ENTRY = entry(1)
MFE = event("MFE_UPDATE", 2, mfe="0.5")
BE = event("BE_TRIGGERED", 3, mfe="1")
LATER_MFE = event("MFE_UPDATE", 4, mfe="1.5")
PARTIAL = event("EXIT_PARTIAL", 5, exit_price=115)
STOP = event("EXIT_STOP_LOSS", 6, exit_price=90)
EVEN = event("EXIT_BREAK_EVEN", 6, exit_price=100)
PROFIT = event("EXIT_TAKE_PROFIT", 6, exit_price=120)
MANUAL = event("EXIT_MANUAL", 6, exit_price=105)
CANCEL = event("CANCELLED", 7)
ODD = event("SOMETHING_ELSE", 8)


@pytest.mark.parametrize(
    ("status", "events"),
    [
        ("UNKNOWN", []),
        ("UNKNOWN", [MFE]),
        ("UNKNOWN", [BE]),
        ("UNKNOWN", [PARTIAL]),
        ("UNKNOWN", [ODD]),
        ("UNKNOWN", [SIGNAL, MFE]),
        ("PENDING", [SIGNAL]),
        ("PENDING", [SIGNAL, event("SIGNAL_CREATED", 1)]),
        ("PENDING", [SIGNAL, ODD]),
        ("ACTIVE", [ENTRY]),
        ("ACTIVE", [SIGNAL, ENTRY]),
        ("ACTIVE", [ENTRY, MFE]),
        ("ACTIVE", [ENTRY, PARTIAL]),
        ("ACTIVE", [MFE, entry(3)]),
        ("ACTIVE", [ENTRY, ODD]),
        ("ACTIVE", [ENTRY, CANCEL]),
        ("BE_PROTECTED", [ENTRY, BE]),
        ("BE_PROTECTED", [ENTRY, MFE, BE, LATER_MFE]),
        ("BE_PROTECTED", [BE, entry(5)]),
        ("BE_PROTECTED", [ENTRY, BE, CANCEL]),
        ("COMPLETED", [ENTRY, STOP]),
        ("COMPLETED", [ENTRY, EVEN]),
        ("COMPLETED", [ENTRY, PROFIT]),
        ("COMPLETED", [ENTRY, MANUAL]),
        ("COMPLETED", [ENTRY, PARTIAL, MANUAL]),
        ("COMPLETED", [STOP]),
        ("COMPLETED", [STOP, entry(9)]),
        ("COMPLETED", [ENTRY, STOP, event("MFE_UPDATE", 9)]),
        ("COMPLETED", [ENTRY, STOP, event("BE_TRIGGERED", 9)]),
        ("COMPLETED", [ENTRY, STOP, entry(9)]),
        ("COMPLETED", [ENTRY, STOP, CANCEL]),
        ("COMPLETED", [STOP, CANCEL]),
        ("COMPLETED", [ENTRY, event("CANCELLED", 2), STOP]),
        ("CANCELLED", [CANCEL]),
        ("CANCELLED", [SIGNAL, CANCEL]),
        ("CANCELLED", [SIGNAL, MFE, CANCEL]),
        ("CANCELLED", [SIGNAL, CANCEL, entry(9)]),
        ("CANCELLED", [SIGNAL, CANCEL, entry(9), event("EXIT_MANUAL", 10)]),
        ("CANCELLED", [SIGNAL, CANCEL, event("MFE_UPDATE", 9)]),
    ],
)
def test_status(status: str, events: list[SignalEvent]) -> None:
    assert status in STATUSES
    assert trade(*events).status == status


@pytest.mark.parametrize(
    ("codes", "events"),
    [
        ([], []),
        ([], [SIGNAL, ENTRY, MFE, BE, LATER_MFE, PARTIAL, PROFIT]),
        ([], [SIGNAL, CANCEL]),
        (["EXIT_WITHOUT_ENTRY"], [STOP]),
        (["EXIT_BEFORE_ENTRY"], [STOP, entry(9)]),
        (["EXIT_BEFORE_ENTRY", "MFE_BEFORE_ENTRY"], [MFE, STOP, entry(9)]),
        (["PARTIAL_EXIT_BEFORE_ENTRY"], [PARTIAL, entry(9)]),
        (["MFE_BEFORE_ENTRY"], [MFE, entry(9)]),
        (["MFE_BEFORE_ENTRY"], [MFE]),
        (["EXIT_WITHOUT_ENTRY", "MFE_BEFORE_ENTRY"], [MFE, STOP]),
        (["BE_BEFORE_ENTRY"], [BE, entry(9)]),
        (["DUPLICATE_ENTRY"], [ENTRY, entry(2)]),
        (["DUPLICATE_EXIT", "EVENT_AFTER_EXIT"], [ENTRY, STOP, event("EXIT_STOP_LOSS", 7)]),
        (["CONFLICTING_EXITS", "EVENT_AFTER_EXIT"], [ENTRY, STOP, event("EXIT_BREAK_EVEN", 7)]),
        (["CONFLICTING_EXITS"], [ENTRY, STOP, EVEN]),
        (["EVENT_AFTER_EXIT"], [ENTRY, STOP, event("MFE_UPDATE", 7)]),
        (["EVENT_AFTER_EXIT", "EXIT_WITHOUT_ENTRY"], [STOP, event("MFE_UPDATE", 7)]),
        (["DUPLICATE_ENTRY", "EVENT_AFTER_EXIT"], [ENTRY, STOP, entry(9)]),
        (["EVENT_AFTER_CANCELLED"], [SIGNAL, CANCEL, event("MFE_UPDATE", 9)]),
        (["ENTRY_AFTER_CANCELLED"], [SIGNAL, CANCEL, entry(9)]),
        (["ENTRY_AFTER_CANCELLED", "EVENT_AFTER_CANCELLED"], [CANCEL, entry(9), event("CANCELLED", 10)]),
        (["CANCELLED_AFTER_ENTRY"], [ENTRY, CANCEL]),
        (["CANCELLED_AFTER_ENTRY"], [ENTRY, event("CANCELLED", 2), STOP]),
        (["CANCELLED_AFTER_ENTRY", "EVENT_AFTER_EXIT"], [ENTRY, STOP, CANCEL]),
        (["ENTRY_WITHOUT_PRICE"], [entry(1, entry_price=None)]),
        (["ENTRY_WITHOUT_STOP"], [entry(1, stop_loss=None)]),
        (["STOP_AT_ENTRY"], [entry(1, stop_loss=100)]),
        (["STOP_ON_WRONG_SIDE"], [entry(1, stop_loss=110)]),
        (["STOP_ON_WRONG_SIDE"], [entry(1, direction="Bearish")]),
        (["DIRECTION_CONFLICT"], [ENTRY, event("MFE_UPDATE", 2, direction="Bearish")]),
        (["SYMBOL_CONFLICT"], [entry(1, symbol="NQ1!"), event("MFE_UPDATE", 2, symbol="ES1!")]),
        ([], [entry(1, symbol="CME_MINI:NQ1!"), event("MFE_UPDATE", 2, symbol="nq1!")]),
        (["TAKE_PROFIT_AT_A_LOSS"], [ENTRY, event("EXIT_TAKE_PROFIT", 6, exit_price=95)]),
        (["UNRECOGNISED_EVENT"], [ENTRY, ODD]),
    ],
)
def test_anomalies(codes: list[str], events: list[SignalEvent]) -> None:
    assert list(trade(*events).anomalies) == codes
    assert set(codes) <= set(ANOMALIES)


def test_every_anomaly_is_told_in_one_sentence() -> None:
    assert all(code == code.upper() and told.endswith(".") for code, told in ANOMALIES.items())


def test_the_open_statuses_hold_a_position() -> None:
    assert {"ACTIVE", "BE_PROTECTED"} == OPEN_STATUSES


@pytest.mark.parametrize(
    ("kept", "others"),
    [(EVEN, [PROFIT, STOP, MANUAL]), (PROFIT, [STOP, MANUAL]), (STOP, [MANUAL])],
)
def test_of_exits_at_the_same_instant_the_first_in_the_order_of_life_counts(
    kept: SignalEvent, others: list[SignalEvent]
) -> None:
    assert trade(ENTRY, *others, kept).exit_reason == kept.event_type.removeprefix("EXIT_")


def test_at_one_instant_an_entry_comes_before_its_updates_and_they_before_the_exit() -> None:
    found = trade(
        event("EXIT_MANUAL", 1, exit_price=110),
        event("MFE_UPDATE", 1, mfe=2),
        event("BE_TRIGGERED", 1),
        entry(1),
    )
    assert [item.event_type for item in found.events] == ["ENTRY", "MFE_UPDATE", "BE_TRIGGERED", "EXIT_MANUAL"]
    assert found.anomalies == ()
    assert found.max_mfe == 2
    assert found.be_triggered


def test_break_even_after_the_exit_does_not_count() -> None:
    assert trade(ENTRY, STOP, event("BE_TRIGGERED", 9)).be_triggered is False
