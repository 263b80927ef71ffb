"""What a KPI's text says."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.kpi_values import KINDS, parse_value


@pytest.mark.parametrize(
    ("text", "number", "kind"),
    [
        ("$1,234.56", "1234.56", "currency"),
        ("-$15,193.99", "-15193.99", "currency"),
        ("\u2212$15,193.99", "-15193.99", "currency"),
        ("($123)", "-123", "currency"),
        ("$-5", "-5", "currency"),
        ("$105.33", "105.33", "currency"),
        ("72.3%", "72.3", "percent"),
        ("+1.24%", "1.24", "percent"),
        ("5 %", "5", "percent"),
        ("-0.5%", "-0.5", "percent"),
        ("302s", "302", "duration"),
        ("5m 2s", "302", "duration"),
        ("5m2s", "302", "duration"),
        ("1h 2m 3.5s", "3723.5", "duration"),
        ("2d", "172800", "duration"),
        ("500ms", "0.5", "duration"),
        ("-5s", "-5", "duration"),
        ("171,902", "171902", "number"),
        ("-0.50", "-0.50", "number"),
        ("\u22120.50", "-0.50", "number"),
        ("(123)", "-123", "number"),
        ("1e3", "1000", "number"),
        (".5", "0.5", "number"),
        ("5.", "5", "number"),
        ("\u00a05 ", "5", "number"),
        ("0.1234567890123456789", "0.1234567890123456789", "number"),
        ("1.8x", "1.8", "ratio"),
        ("1.8\u00d7", "1.8", "ratio"),
    ],
)
def test_numbers(text: str, number: str, kind: str) -> None:
    assert parse_value(text) == (Decimal(number), kind)


@pytest.mark.parametrize(
    "text",
    ["", "\u2014", "-", "%", "$", "s", "x", "1,2,3", "12,34", "1_000", "NaN", "inf", "$5%", "-$-5", "(-5)", "($-5)",
     "()", "1m 30", "2s 5m", "5M", "1:30", "1 000", "\u0665", "1e999", "9" * 65, "1" + "0" * 300, "hello", "5 apples"],
)  # fmt: skip
def test_words(text: str) -> None:
    assert parse_value(text) == (None, "text")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12))
def test_what_people_are_shown_is_read_back(value: Decimal) -> None:
    bare = format(abs(value), ",f")
    sign = "-" if value < 0 else ""
    assert parse_value(f"{sign}{bare}") == (value, "number")
    assert parse_value(f"{sign}${bare}") == (value, "currency")
    assert parse_value(f"{sign}{bare}%") == (value, "percent")
    assert parse_value(f"{sign}{bare}x") == (value, "ratio")
    assert parse_value(f"(${bare})")[0] == -abs(value)


@given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    text = f"{days}d {hours}h {minutes}m {seconds}s"
    assert parse_value(text) == (Decimal(days * 86400 + hours * 3600 + minutes * 60 + seconds), "duration")


@given(st.text(max_size=300) | st.text(alphabet="0123456789,.-+$%()xsmhde \u2212", max_size=40))
def test_any_text_is_something(text: str) -> None:
    number, kind = parse_value(text)
    assert kind in KINDS
    assert (number is None) == (kind == "text")
    assert number is None or number.is_finite()
