"""A secret is found however a body hides it."""

import json
import struct
from decimal import Decimal
from urllib.parse import quote

import pytest

from handlers.masking import MASK, mask_body, mask_bytes, mask_text, mask_values

PLAIN = "hush-hush/hush"
ODD = 'grüße "😀" \\ 100%'


def units(text: str) -> bytes:
    """Every character as a JSON escape."""
    encoded = text.encode("utf-16-be")
    return b"".join(b"\\u%04X" % unit for unit in struct.unpack(f">{len(encoded) // 2}H", encoded))


@pytest.mark.parametrize("secret", [PLAIN, ODD])
@pytest.mark.parametrize(
    "hidden",
    [
        lambda secret: secret.encode(),
        lambda secret: json.dumps(secret).encode(),
        lambda secret: json.dumps(secret, ensure_ascii=False).encode(),
        units,
        lambda secret: units(secret).lower(),
        lambda secret: secret.replace("/", "\\/").replace('"', '\\"').encode(),
        lambda secret: quote(secret, safe="").encode(),
        lambda secret: secret.encode("utf-16-le"),
        lambda secret: secret.encode("utf-16-be"),
        lambda secret: secret.encode("utf-32-be"),
    ],
)
def test_no_disguise_helps(secret: str, hidden: object) -> None:
    raw = hidden(secret)  # type: ignore[operator]
    assert mask_bytes(b'{"broken": ' + raw + b" and on", [secret]).count(MASK.encode()) == 1
    for part in (secret.encode()[:6], units(secret[:4]), quote(secret[:5]).encode()):
        assert part not in mask_bytes(raw, [secret])


@pytest.mark.parametrize("secret", [PLAIN, ODD])
def test_no_run_of_backslashes_or_digits_in_front_of_it_hides_it(secret: str) -> None:
    for run in (b"\\" * 3, b"\\" * 8, b"\\" * 9, b"\\" * 40, b"\\u005c" * 12, b"%5C" * 12, b"7" * 90):
        for hidden in (secret.encode(), units(secret), quote(secret, safe="").encode()):
            assert mask_bytes(run + hidden, [secret]).count(MASK.encode()) == 1
    assert mask_bytes(b"0" * 90 + b"1.2345678e7", ["12345678"]) == MASK.encode()


def test_numbers_that_spell_a_secret_of_digits_are_masked_and_no_others() -> None:
    raw = b'{"a": 12345678, "b": 1.2345678e7, "c": 0.012345678, "d": 1234567.8, "e": 12.5e2'
    kept = b'{"a": ***, "b": ***, "c": 0.0***, "d": 1234567.8, "e": 12.5e2'
    assert mask_bytes(raw, ["12345678"]) == kept
    assert mask_bytes(raw, ["other-secret"]) == raw
    value = {"a": [12345678, Decimal("1.2345678e7"), 1234567, True], "b": Decimal("-0.12345678")}
    assert mask_values(value, ["12345678"]) == ({"a": [MASK, MASK, 1234567, True], "b": MASK}, ["a[0]", "a[1]", "b"])


def test_nothing_else_changes() -> None:
    raw = b'{"a": "hush-hush/hus", "b": "\\u0068ush"}'
    assert mask_bytes(raw, [PLAIN]) == raw
    assert mask_bytes(raw, []) == raw


def test_the_longer_of_two_secrets_goes_whole() -> None:
    assert mask_text("first-secret-and-more", ["first-secret", "first-secret-and-more"]) == MASK


def test_values_say_where() -> None:
    value = {"a": [PLAIN, {"b": f"x{PLAIN}y"}], PLAIN: 1, "n": 5, "none": None}
    masked, where = mask_values(value, [PLAIN])
    assert masked == {"a": [MASK, {"b": f"x{MASK}y"}], MASK: 1, "n": 5, "none": None}
    assert where == ["a[0]", "a[1].b", MASK]


def test_the_secret_that_was_taken_out_is_no_echo() -> None:
    body = {"a": 1}
    raw = json.dumps({"secret": PLAIN, **body}).encode()
    assert mask_body(body, raw, [PLAIN], taken=PLAIN) == (body, [])


def test_another_text_in_its_place_does_not_hide_an_echo() -> None:
    raw = json.dumps({"secret": "something else", "a": PLAIN}).encode()
    masked, warnings = mask_body({"a": PLAIN}, raw, [PLAIN], taken="something else")
    assert masked == {"a": MASK}
    assert [(warning.field, warning.code) for warning in warnings] == [("a", "SECRET_REMOVED")]


def test_an_echo_that_only_parsing_reveals_is_found() -> None:
    raw = b'{"a": "' + units(PLAIN) + b'"}'
    assert mask_body(json.loads(raw), raw, [PLAIN])[0] == {"a": MASK}


def test_halves_of_characters_do_no_harm() -> None:
    assert mask_values("\ud800 " + PLAIN, [PLAIN])[0].endswith(MASK)
