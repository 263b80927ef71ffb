"""Numbers at the edges of what is taken."""

from decimal import Decimal, getcontext, localcontext
from typing import Any

import pytest

from tests.handlers.payloads.reading_helpers import codes, refused, update


def fault(field: str, value: Any) -> str:
    """The code with which the field of an entry is refused."""
    error = refused({"event_type": "ENTRY", "trade_id": "t1", field: value})
    ((name, code),) = codes(error.details)
    assert name == field
    return code


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("20500.25", "20500.25"),
        ("+1", "1"),
        ("0.1234567890123456789", "0.1234567890123456789"),
        ("1e3", "1000"),
        ("1.5E-2", "0.015"),
        (" 7 ", "7"),
        ("007", "7"),
        ("0." + "0" * 60 + "1", "1e-61"),
        ("1" * 12, "1" * 12),
        ("1." + "1" * 63, "1." + "1" * 63),
        ("999999999999." + "9" * 52, "999999999999." + "9" * 52),
    ],
)
def test_plain_decimal_strings_are_exact(text: str, number: str) -> None:
    assert update(current_price=text).current_price == Decimal(number)


@pytest.mark.parametrize(
    "value",
    [
        "1,234.5",
        "\uff11\uff12",
        "\u0663",
        "1_000",
        "0x1F",
        "1.",
        ".5",
        "--1",
        "1e",
        "1e999",
        "1 000",
        "\t1",
        "1\n",
        "$5",
        True,
        {},
        [1],
    ],
)
def test_what_is_no_number(value: Any) -> None:
    assert fault("stop_loss", value) == "NOT_A_NUMBER"


@pytest.mark.parametrize("value", [0, -1, "0", "-0.0", "0e5", 10**12, "1e12", Decimal("1E+12")])
def test_prices_are_positive_and_below_a_trillion(value: Any) -> None:
    for field in ("entry_price", "stop_loss", "exit_price", "current_price", "target_3r"):
        assert fault(field, value) == "OUT_OF_RANGE"


@pytest.mark.parametrize("value", [10**6, -(10**6), "1e6"])
def test_r_multiples_stay_below_a_million(value: Any) -> None:
    for field in ("mfe_R", "be_mfe", "no_be_mfe", "mae_R", "final_mfe"):
        assert fault(field, value) == "OUT_OF_RANGE"
    assert update(mfe_R=Decimal("-999999.999")).mfe == Decimal("-999999.999")


@pytest.mark.parametrize("value", ["1" * 65, "0." + "1" * 65, 10**64 + 1, Decimal("1." + "1" * 64)])
def test_more_than_64_significant_digits(value: Any) -> None:
    assert fault("risk_amount", value) == "TOO_MANY_DIGITS"


@pytest.mark.parametrize(
    "value", ["nan", "NaN", "na", "N/A", "", " ", "Infinity", "-inf", "null", float("nan"), float("inf")]
)
def test_what_says_that_there_is_no_number(value: Any) -> None:
    event = update(mfe_R=value)
    assert event.mfe is None
    assert codes(event.warnings) == [("mfe_R", "NO_VALUE")]
    assert fault("entry_price", value) == "NOT_A_NUMBER"


def test_zero_never_falls_back() -> None:
    event = update(mfe_R=Decimal("2.5"), be_mfe=0, no_be_mfe="0.0", position_size=0, mae=0)
    assert (event.mfe, event.be_mfe, event.no_be_mfe) == (Decimal("2.5"), Decimal(0), Decimal(0))
    assert (event.position_size, event.mae) == (Decimal(0), Decimal(0))


def test_a_zero_mfe_is_the_fallback_of_both_legs() -> None:
    event = update(mfe_R=0)
    assert {event.mfe, event.be_mfe, event.no_be_mfe} == {Decimal(0)}


def test_legs_alone_say_the_mfe_by_the_original_stop() -> None:
    assert update(be_mfe=1, no_be_mfe=3).mfe == 3
    assert update(be_mfe=1).mfe == 1


def test_risk_distance_is_exact_whatever_the_callers_context() -> None:
    with localcontext() as context:
        context.prec = 3
        event = update(entry_price="12345.6789", stop_loss="0.0000000001")
        assert getcontext().prec == 3
    assert event.risk_distance == Decimal("12345.6788999999")


@pytest.mark.parametrize(
    ("given", "distance", "warnings"),
    [
        (Decimal("2.5"), Decimal("2.5"), []),
        (0, Decimal(3), [("risk_distance", "ZERO_RISK_DISTANCE")]),
        ("na", Decimal(3), [("risk_distance", "NO_VALUE")]),
        (None, Decimal(3), []),
    ],
)
def test_risk_distance_as_given_else_from_entry_and_stop(given: Any, distance: Decimal, warnings: Any) -> None:
    event = update(entry_price=100, stop_loss=103, risk_distance=given)
    assert event.risk_distance == distance
    assert codes(event.warnings) == warnings
