"""Values as the pages write them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from dashboard import formats
from state.newyork import to_new_york

AT = datetime(2026, 7, 1, 13, 30, 5, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.255"), "+1.26\u00a0R"),
        (Decimal("-0.5"), "\u22120.50\u00a0R"),
        (Decimal(0), "0.00\u00a0R"),
        (Decimal("-0.001"), "0.00\u00a0R"),
        (Decimal("12345.6"), "+12,345.60\u00a0R"),
        (None, "\u2013"),
    ],
)
def test_r(value: Decimal | None, text: str) -> None:
    assert formats.r_text(value) == text


def test_prices_keep_every_digit() -> None:
    assert formats.price(Decimal("0.00001234")) == "0.00001234"
    assert formats.price(Decimal("20500.25")) == "20,500.25"
    assert formats.price(Decimal("1.234E-7")) == "0.0000001234"
    assert formats.price(Decimal("-1234.5")) == "\u22121,234.5"
    assert formats.price(Decimal("-0.5")) == "\u22120.5"


def test_times_are_new_yorks_with_utc_on_hover() -> None:
    at = AT.replace(year=to_new_york(datetime.now(UTC)).year)
    shown = str(formats.when(at))
    assert ">Jul 01 09:30:05<" in shown
    assert f'title="{at.year}-07-01 13:30:05.250 UTC"' in shown
    assert "EDT" in str(formats.when_full(AT))
    assert formats.when(datetime(2026, 1, 1)) == "\u2013"  # noqa: DTZ001 - just what must not be guessed


def test_a_time_of_another_year_tells_it() -> None:
    assert ">Jul 01, 2019 09:30<" in str(formats.when_short(AT.replace(year=2019)))


def test_lengths_of_time() -> None:
    assert formats.duration(Decimal("59.4")) == "59\u00a0s"
    assert formats.duration(125) == "2\u00a0min"
    assert formats.duration(7500) == "2\u00a0h 05\u00a0min"
    assert formats.duration(97200) == "1\u00a0d 3\u00a0h"
    assert formats.duration(-5) == "\u22125\u00a0s"
    assert formats.delay(AT, datetime(2026, 7, 1, 13, 30, 4, tzinfo=UTC)) == "1.2\u00a0s"


def test_other_values() -> None:
    assert formats.percent(Decimal("54.25")) == "54.2\u00a0%"
    assert formats.share(Decimal("0.5")) == "50.0\u00a0%"
    assert formats.money(Decimal("1234.5"), "CAD") == "1,234.50\u00a0CAD"
    assert formats.count(-1200) == "\u22121,200"
    assert (formats.tone(Decimal(-1)), formats.tone(Decimal(1)), formats.tone(None)) == ("bad", "good", "")
    assert formats.words("EXIT_STOP_LOSS") == "exit stop loss"
