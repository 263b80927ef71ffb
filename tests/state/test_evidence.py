"""Reading one event: telemetry over columns, field by field, and nothing raises."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from state.evidence import evidence, in_order, telemetry_of
from state.values import mapping, number, plain, price, r_multiple, text, utc
from tests.state.builders import OPENING, at, event, told

JUNK: list[Any] = [
    None,
    "",
    "abc",
    "NaN",
    "na",
    True,
    False,
    [],
    {},
    [1],
    {"a": 1},
    "1,234.5",
    "\uff11\uff12",
    "1_000",
    "0x10",
]
ODD_NUMBERS: list[Any] = [
    Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), float("nan"), float("-inf"),
    Decimal("1E+65"), Decimal("1E-129"), Decimal("1" * 65), 10**100, 10**5000, "9" * 200, "1e999",
]  # fmt: skip


@pytest.mark.parametrize("value", [*JUNK, *ODD_NUMBERS], ids=lambda value: type(value).__name__)
def test_junk_is_no_number(value: object) -> None:
    assert number(value) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (0, "0"), (-3, "-3"), (Decimal("1.50"), "1.50"), (1.1, "1.1"), ("20500.25", "20500.25"), (" -0.5 ", "-0.5"),
        ("+1", "1"), (".5", "0.5"), ("1.", "1"), ("1e3", "1E+3"), (Decimal("0.00001234"), "0.00001234"),
    ],
)  # fmt: skip
def test_numbers_are_read_exactly(value: object, found: str) -> None:
    assert str(number(value)) == str(Decimal(found))


@pytest.mark.parametrize(("value", "good"), [("0.00000001", True), (0, False), (-1, False), ("1e12", False)])
def test_prices_lie_between_0_and_1e12(value: object, good: bool) -> None:
    assert (price(value) is not None) is good


@pytest.mark.parametrize(
    ("value", "good"), [(0, True), (-5, True), ("999999.9", True), (10**6, False), (-(10**6), False)]
)
def test_r_multiples_may_be_0_or_negative(value: object, good: bool) -> None:
    assert (r_multiple(value) is not None) is good


@pytest.mark.parametrize(
    ("value", "found"),
    [("NQ", "NQ"), (" 5 ", "5"), (1, "1"), ("  ", None), (True, None), (10**100, None), (Decimal(1), None), ([], None)],
)
def test_text(value: object, found: str | None) -> None:
    assert text(value) == found


def test_mappings_hold_something() -> None:
    assert mapping({"a": 1}) == {"a": 1}
    assert mapping({}) is None
    assert mapping([("a", 1)]) is None


def test_plain_values() -> None:
    mixed = {1: [Decimal("NaN"), float("inf"), 0.5], "when": datetime(2025, 1, 1, tzinfo=ZoneInfo("America/New_York"))}
    assert plain(mixed) == {"1": [None, None, Decimal("0.5")], "when": "2025-01-01T05:00:00+00:00"}


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        utc(datetime(2025, 1, 1))  # noqa: DTZ001


SENT: dict[str, tuple[str, Any, Any]] = {
    "direction": ("direction", "LONG", "Bullish"),
    "side": ("direction", "sell", "Bearish"),
    "bias": ("bias", "bull", "Bullish"),
    "symbol": ("symbol", "NQ1!", "NQ1!"),
    "ticker": ("symbol", "NQ1!", "NQ1!"),
    "strategy_id": ("strategy_id", "s-1", "s-1"),
    "strategy_name": ("strategy_name", "FVG core", "FVG core"),
    "timeframe": ("timeframe", 5, "5"),
    "interval": ("timeframe", "5", "5"),
    "session": ("session", "ny_pre", "NY PRE"),
    "entry_price": ("entry_price", "101.5", Decimal("101.5")),
    "actual_entry_price": ("entry_price", 101, Decimal(101)),
    "stop_loss": ("stop_loss", 91, Decimal(91)),
    "sl_price": ("stop_loss", 91, Decimal(91)),
    "risk_distance": ("risk_distance", 11, Decimal(11)),
    "exit_price": ("exit_price", 120, Decimal(120)),
    "resolution_price": ("exit_price", 120, Decimal(120)),
    "exit_reason": ("exit_reason", "stop hit", "stop hit"),
    "completion_reason": ("exit_reason", "stop hit", "stop hit"),
    "mfe_R": ("mfe", 0, Decimal(0)),
    "current_mfe": ("mfe", "0.0", Decimal(0)),
    "be_mfe_R": ("be_mfe", 0, Decimal(0)),
    "final_be_mfe": ("be_mfe", 0, Decimal(0)),
    "no_be_mfe_R": ("no_be_mfe", 0, Decimal(0)),
    "final_no_be_mfe": ("no_be_mfe", 0, Decimal(0)),
    "mae_R": ("mae", 0, Decimal(0)),
    "mae_global_R": ("mae", "-0.25", Decimal("-0.25")),
    "final_mfe_R": ("final_mfe", 0, Decimal(0)),
    "targets": ("targets", {"tp1_price": 110}, {"tp1_price": 110}),
    "setup": ("setup", {"setup_family": "FVG"}, {"setup_family": "FVG"}),
    "market_state": ("market_state", {"atr": 3}, {"atr": 3}),
}
COLUMNS: dict[str, Any] = {
    "direction": "LONG",
    "bias": "Bullish",
    "symbol": "ES1!",
    "strategy_id": "column",
    "strategy_name": "column",
    "timeframe": "1",
    "session": "ASIA",
    "entry_price": Decimal(100),
    "stop_loss": Decimal(90),
    "risk_distance": Decimal(10),
    "exit_price": Decimal(105),
    "exit_reason": "column",
    "mfe": Decimal(7),
    "be_mfe": Decimal(7),
    "no_be_mfe": Decimal(7),
    "mae": Decimal(7),
    "final_mfe": Decimal(7),
    "targets": {"target_1r": Decimal(110)},
}
FROM_COLUMNS = {**COLUMNS, "direction": "Bullish"}


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize("form", ["root", "wrapped"])
def test_the_telemetry_wins_over_the_column(name: str, form: str) -> None:
    field, sent, found = SENT[name]
    item = told("MFE_UPDATE", 0, {name: sent}, **COLUMNS)
    if form == "wrapped":
        item = replace(item, telemetry={"message": "", "attributes": item.telemetry})
    assert getattr(evidence(item), field) == found


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize("junk", [None, True, "", [], {}, ["x"]], ids=repr)
def test_the_column_fills_what_the_telemetry_garbles(name: str, junk: object) -> None:
    field = SENT[name][0]
    item = told("MFE_UPDATE", 0, {name: junk}, **COLUMNS)
    assert getattr(evidence(item), field) == FROM_COLUMNS.get(field)


@pytest.mark.parametrize("field", FROM_COLUMNS)
def test_columns_alone_are_read(field: str) -> None:
    assert getattr(evidence(event("MFE_UPDATE", **COLUMNS)), field) == FROM_COLUMNS[field]


def test_a_column_that_is_no_number_is_no_value() -> None:
    found = evidence(event("MFE_UPDATE", mfe=Decimal("NaN"), exit_price=0))
    assert found.mfe is None
    assert found.exit_price is None


@pytest.mark.parametrize("leg", ["be_mfe", "no_be_mfe"])
def test_a_leg_follows_mfe_r_only_when_it_is_absent(leg: str) -> None:
    assert getattr(evidence(told("MFE_UPDATE", 0, {"mfe_R": 2}, **COLUMNS)), leg) == 2
    assert getattr(evidence(told("MFE_UPDATE", 0, {"mfe_R": 2, leg: 0}, **COLUMNS)), leg) == 0


def test_mae_global_is_the_mae_where_mae_r_is_the_other_legs_mfe() -> None:
    assert evidence(told("MFE_UPDATE", 0, {"mae_R": 2, "mae_global_R": "-0.5"})).mae == Decimal("-0.5")


def test_a_bare_price_is_the_fill_of_an_entry_or_an_exit() -> None:
    def prices(event_type: str) -> tuple[Decimal | None, Decimal | None]:
        found = evidence(told(event_type, 0, {"price": 101}))
        return found.entry_price, found.exit_price

    assert prices("ENTRY") == (Decimal(101), None)
    assert prices("EXIT_PARTIAL") == (None, Decimal(101))
    assert prices("EXIT_SL") == (None, Decimal(101))
    assert prices("MFE_UPDATE") == (None, None)


def test_the_exit_timestamp_of_telemetry_is_ignored() -> None:
    assert evidence(told("EXIT_SL", 5, {"exit_timestamp": "2030-01-01T00:00:00Z"})).at == at(5)


@pytest.mark.parametrize(
    ("column", "sent", "found"),
    [
        ("ENTRY", None, "ENTRY"),
        ("EXIT_SL", None, "EXIT_STOP_LOSS"),
        ("exit_be", 7, "EXIT_BREAK_EVEN"),
        ("MFE_UPDATE", "ENTRY", "ENTRY"),
        ("junk", "EXIT_SL", "EXIT_STOP_LOSS"),
        ("EXIT_BREAK_EVEN", "TRADE_RESOLVED", "EXIT_BREAK_EVEN"),
        ("junk", "junk", None),
    ],
)
def test_event_type(column: str, sent: object, found: str | None) -> None:
    body = {} if sent is None else {"event_type": sent}
    assert evidence(event(column, telemetry=body)).event_type == found


@pytest.mark.parametrize(
    ("body", "direction"),
    [
        (None, None),
        ({}, None),
        ([1, 2], None),
        ("text", None),
        ({"direction": "Bullish"}, "Bullish"),
        ({"attributes": {"trade_id": "T1", "direction": "Bullish"}}, "Bullish"),
        ({"event_type": "ENTRY", "attributes": {"event_type": "ENTRY", "direction": "Bullish"}}, "Bullish"),
        ({"schema_version": "1.0", "attributes": {"trade_id": "T1", "direction": "Bullish"}}, "Bullish"),
        ({"schema_version": "1.0", "trade_id": "T1", "attributes": {"trade_id": "T1", "direction": "Bullish"}}, None),
        ({"direction": "Bearish", "attributes": {"colour": "red"}}, "Bearish"),
        ({"direction": "Bearish", "attributes": "text"}, "Bearish"),
    ],
)
def test_the_telemetry_may_be_the_root_or_wrapped(body: Any, direction: str | None) -> None:
    assert evidence(event("ENTRY", telemetry=body)).direction == direction


def test_telemetry_of_an_event_without_any_is_empty() -> None:
    nothing: Mapping[str, Any] = telemetry_of(event("ENTRY"))
    assert nothing == {}


def test_the_order_is_by_event_time_then_life_then_receipt_then_key() -> None:
    late, early = event("ENTRY", 1, key="a"), event("EXIT_MANUAL", 0, key="b")
    same_time = event("MFE_UPDATE", 1, key="c")
    soon = event("MFE_UPDATE", 1, key="z", received_at=OPENING)
    tie = event("MFE_UPDATE", 1, key="d")
    found = in_order([tie, same_time, late, soon, early])
    assert [item.event.event_key for item in found] == ["b", "a", "z", "c", "d"]


def test_instants_are_compared_as_instants_through_the_repeated_hour() -> None:
    zone = ZoneInfo("America/New_York")
    first = event("ENTRY", key="b", event_timestamp=datetime(2025, 11, 2, 1, 50, tzinfo=zone))
    second = event("EXIT_MANUAL", key="a", event_timestamp=datetime(2025, 11, 2, 1, 10, tzinfo=zone, fold=1))
    assert [item.event.event_key for item in in_order([second, first])] == ["b", "a"]
    assert evidence(second).at - evidence(first).at == timedelta(minutes=20)
    assert evidence(first).at.tzinfo is UTC


def test_of_two_accounts_of_one_alert_the_one_received_first_counts() -> None:
    one = event("MFE_UPDATE", 0, key="k", mfe=1, received_at=at(9), targets={"a": [1, {"b": 2}]})
    other = replace(one, received_at=at(3), mfe=Decimal(2))
    assert in_order([one, other]) == in_order([other, one]) == in_order([other])
    twin = replace(one, mfe=Decimal(3))
    assert in_order([one, twin, one]) == in_order([twin, one])
    assert len(in_order([one, twin])) == 1


def test_events_of_two_trades_are_refused() -> None:
    with pytest.raises(ValueError, match="more than one trade"):
        in_order([event("ENTRY"), event("ENTRY", trade_id="T2")])
