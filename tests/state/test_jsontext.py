"""JSON text: the quick way of reading and writing gives what the careful way gives, and steps aside for it."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import jsontext

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.one_of(
    st.integers(),
    st.integers(10**60, 10**66),
    st.decimals(allow_nan=False, allow_infinity=False, places=4),
    st.sampled_from([Decimal("20475.00"), Decimal("-0.0"), Decimal("1E-7"), Decimal("1E+3"), Decimal("0E-10")]),
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def read(text: str, how: Any) -> Any:
    try:
        return repr(how(text))
    except jsontext.JsonTextError as error:
        return str(error), error.kind


def carefully(text: str) -> Any:
    return jsontext._carefully(text, jsontext.MAX_DEPTH, jsontext.MAX_KEYS)


@given(VALUES, st.booleans())
def test_both_ways_read_and_write_the_same(value: Any, spaced: bool) -> None:
    text = jsontext.dump(value, indent=1 if spaced else None)
    assert read(text, jsontext.parse) == read(text, carefully)
    if isinstance(value, dict):
        assert jsontext.canonical(value) == jsontext.dump(value, sort_keys=True)


@pytest.mark.parametrize(
    "text",
    [
        "-0", "-0.0", "01", "1.", ".5", "+1", "1e5", "1E-7", "1e400", "1e65", "9" * 64, "9" * 65, "-" + "9" * 64,
        "1." + "0" * 64, "18446744073709551616", "-9223372036854775809", "NaN", "-Infinity", '{"a": NaN}', '"a\tb"',
        '"\x7f"', '"\\u0000"', '"\\ud800"', "[1,]", '{"a":1,}', "1 2", "\x0b1", "{1:2}", '"\\x"', "", "1_0", "[1 2]",
        '{"a":1,"a":2}', '{"a" : 1, "a":2}', '{"a":":","a":1}', '{"a":1,"b":[{"c":":::","c":1}]}',
        '{"\\u0061":1,"a":2}',
        '{"a":"' + "9" * 70 + '"}', "[" * 40 + "]" * 40, "[" * 20 + "]" * 20, "[[" * 9 + "1" + "]]" * 9, "\ufeff1",
        "{" + ",".join(f'"k{n}":1' for n in range(2001)) + "}", '{"t":"' + ":" * 2001 + '"}', "[" * 90_000,
    ],
)  # fmt: skip
def test_odd_texts_read_the_same_both_ways(text: str) -> None:
    assert read(text, jsontext.parse) == read(text, carefully)


def test_plain_telemetry_goes_the_quick_way() -> None:
    body = {"trade_id": "t", "at": "2025-11-20T14:30:00Z", "price": Decimal("20475.00"), "none": None, "n": [{"a": 2}]}
    text = jsontext.dump(body)
    assert jsontext._plainly(text, 32, 2_000) == body
    assert jsontext._written(jsontext._WRITER, body) == jsontext.dump(body, sort_keys=True)
    assert jsontext._plainly(text.replace('"none"', '"price"'), 32, 2_000) is jsontext._UNSURE


def test_what_has_no_place_in_json_is_refused_by_every_writer() -> None:
    for write in (jsontext.canonical, lambda value: jsontext.dump_rows([value])):
        for deep in ({"a": float("nan")}, {"a": [{"b": float("-inf")}]}):
            with pytest.raises(ValueError, match=r"(?i)nan|inf|json"):
                write(deep)


def test_rows_are_written_for_the_database_with_every_digit_and_body() -> None:
    row = {
        "n": Decimal("1.50"), "tiny": Decimal("1E-7"), "at": datetime(2025, 11, 20, 14, 30, tzinfo=UTC),
        "body": jsontext.written('{"b": 1.0, "é": "\\u0000"}'),
    }  # fmt: skip
    for one in (row, {**row, "tiny": None}):
        (back,) = json.loads(jsontext.dump_rows([one]), parse_float=str)
        at = datetime.fromisoformat(back["at"])
        assert (back["n"], at, back["body"]) == ("1.50", row["at"], {"b": "1.0", "é": "\0"})
        assert back["tiny"] == (None if one["tiny"] is None else "0.0000001")
