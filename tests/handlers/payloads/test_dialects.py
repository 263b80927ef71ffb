"""Position alerts of other systems: their credentials, their lines of text, and what becomes of a week of them."""

from typing import Any

import pytest

from handlers.middleware.bodies import alert_object
from handlers.payloads import pinetext
from handlers.payloads.credential_names import NAMES
from handlers.payloads.credential_text import mask_text
from handlers.payloads.credentials import mask_credentials, take_credentials
from state.jsontext import dump
from tests.handlers.payloads.reading_helpers import read_one

ORDER = {"ticker": "NQ1!", "action": "buy", "time": "2025-11-20T14:30:00Z"}
SECRETS = {
    "secret": "one", "Passphrase": "two", "password": "three", "token": "four", "KEY": "five", "apikey": "six",
    "api_key": "seven", "email_token": "eight", "emailToken": "nine",
}  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [{**ORDER, **SECRETS}, {**ORDER, "deep": [{"deeper": SECRETS}]}, {"type": "ENTRY", "signal_id": "a", **SECRETS}],
)
def test_no_credential_is_left_wherever_it_stands(body: dict[str, Any]) -> None:
    _, kept = take_credentials(body)
    assert not [value for value in SECRETS.values() if f'"{value}"' in dump(kept)]


def test_secret_and_passphrase_are_offered_and_nothing_else() -> None:
    assert sorted(take_credentials({**ORDER, **SECRETS})[0]) == ["one", "two"]
    assert take_credentials({**ORDER, "strategy": {"passphrase": "inside"}})[0] == ["inside"]
    assert take_credentials({**ORDER, "secret": 5})[0] == ["5"]
    assert take_credentials({**ORDER, "secret": True, "passphrase": [1]})[0] == []


def test_telemetry_keeps_what_its_schema_may_name_key() -> None:
    body = {"schema_version": "1.0.0", "key": "PDH", "setup": {"token": 1}, "secret": "s"}
    assert take_credentials(body) == (["s"], {"schema_version": "1.0.0", "key": "PDH", "setup": {"token": 1}})
    deep = {"schema_version": "1.0.0", "strategy": {"secret": "s"}, "setup": [{"a": {"Password": "t", "b": 1}}]}
    assert take_credentials(deep)[1] == {"schema_version": "1.0.0", "strategy": {}, "setup": [{"a": {"b": 1}}]}


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("6012,buy,EURUSD,risk=1", "buy,EURUSD,risk=1"),
        (" 6012 ,  Buy ,EURUSD ,, risk = 1 ", "Buy,EURUSD,risk = 1"),
        ('6012,buy,EURUSD,comment="a, secret=b",secret=hush', 'buy,EURUSD,comment="a, secret=b"'),
        ("6012,unknown,EURUSD", "unknown,EURUSD"),
        ("6012,buy,EURUSD,api_key=a,Email-Token=b,passphrase=c", "buy,EURUSD"),
        ("buy,EURUSD", "buy,EURUSD"),
    ],
)
def test_a_line_loses_its_id_and_its_secret(line: str, kept: str) -> None:
    assert pinetext.without_credentials(line) == kept
    assert pinetext.without_credentials(kept) == kept


def test_a_line_of_text_is_an_alert() -> None:
    body = alert_object(b"\xef\xbb\xbf 6012,buy,EURUSD,risk=1,secret=hush \r\n")
    assert take_credentials(body) == (["hush"], {"pineconnector": "buy,EURUSD,risk=1"})


@pytest.mark.parametrize("text", ["buy EURUSD", "6012,buy", "6012,buy,EUR=1", "6012;buy;EURUSD", "a,b\nc,d,e"])
def test_other_text_is_not(text: str) -> None:
    assert pinetext.as_object(text) is None


def test_credentials_within_a_text_are_masked() -> None:
    body = {**ORDER, "extras": '{"password": "p", "note": "n"}', "comment": "key: 1"}
    kept = take_credentials(body)[1]
    assert (kept["extras"], kept["comment"]) == ('{"password": "***", "note": "n"}', "key: 1")


def test_the_second_of_firing_comes_before_the_bar() -> None:
    event = read_one({**ORDER, "timenow": "2025-11-20T14:34:59Z"})
    assert event.event_timestamp.isoformat() == "2025-11-20T14:34:59+00:00"


def test_two_fills_of_one_bar_are_told_apart_by_what_they_left() -> None:
    first, second = (read_one({**ORDER, "market_position": "long", "market_position_size": size}) for size in (1, 2))
    assert first.trade_id == second.trade_id
    assert first.event_key != second.event_key
    assert read_one(ORDER).event_key == read_one(ORDER).event_key


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b'{"action":"buy","Passphrase" : "p\\"p","key":5}', b'{"action":"buy","Passphrase" : "***","key":"***"}'),
        (
            b'{"deep":{"api_key":"a", "email-token":"b"},"token":"unfinish',
            b'{"deep":{"api_key":"***", "email-token":"***"},"token":"***"',
        ),
        (b'{"schema_version":"1","key":"PDH","secret":"s"}', b'{"schema_version":"1","key":"PDH","secret":"***"}'),
        (b"6012,closemaybe,EURUSD,secret=s", b"***,closemaybe,EURUSD"),
        (b"\xff\xfe nothing", b"\xff\xfe nothing"),
        (b'{"s\\u0065cret":"s","pass%70hrase" : "p"', b'{"s\\u0065cret":"***","pass%70hrase" : "***"'),
        (b"{'secret':'it\\'s', token: abc, b: 1", b"{'secret':'***', token: \"***\", b: 1"),
        (b'{"a":"{\\"password\\": \\"p\\", \\"b\\": 1}"', b'{"a":"{\\"password\\": \\"***\\", \\"b\\": 1}"'),
        (b'{"token":{"a":["x"]},"b":[1', b'{"token":"***","b":[1'),
        (b'{"b":1,"token":["x', b'{"b":1,"token":"***"'),
        (b"type=ENTRY&passphrase=p%20p&b=1", b"type=ENTRY&passphrase=***&b=1"),
        (b"6012,buy", b"***,buy"),
        (b"6012,buy,EURUSD\n6012,sell,EURUSD,secret=s", b"***,buy,EURUSD\n***,sell,EURUSD,secret=***"),
        (b'{"monkey":"a","secretary":"b","tokens":1', b'{"monkey":"a","secretary":"b","tokens":1'),
    ],
)
def test_a_body_that_nobody_could_read_is_kept_without_its_credentials(raw: bytes, kept: bytes) -> None:
    assert mask_credentials(raw) == kept
    assert mask_credentials(kept) == kept


class Sliced(str):
    """A text that counts how many characters were cut out of it."""

    cut = 0

    def __getitem__(self, place: Any) -> str:
        piece = super().__getitem__(place)
        self.cut += len(piece)
        return piece


@pytest.mark.parametrize("value", ['\\"' * 5_000, "\\" * 10_000, "[" * 10_000])
def test_a_value_full_of_quotes_costs_no_more_than_its_length(value: str) -> None:
    text = Sliced(f'"key": "{value}')
    assert mask_text(text, NAMES) == '"key": "***"'
    assert text.cut < 10 * len(text)


@pytest.mark.parametrize(
    "raw",
    [
        '{"ticker": "X", "se_cret": "s"}',
        '{"ticker": "X", "s\\u0065cret": "s"}',
        '{"ticker": "X", "deep": [{"API-Key": "s"}]}',
        '{"ticker": "X", "to\u212aen": "s"}',
        '{"ticker": "X", "text": "{\'token\': \'s\'}"}',
        "s,buy,EURUSD,secret=s",
    ],
)
def test_no_spelling_of_a_name_slips_past_the_short_way(raw: str) -> None:
    """Where the body as it came is known, its search may be left out, but never when there is something to find."""
    body = alert_object(raw.encode())
    assert take_credentials(body, raw.encode()) == take_credentials(body)
    assert take_credentials(body)[1] != body


def test_the_short_way_keeps_all_of_a_body_without_credentials() -> None:
    raw = b'{"ticker": "X", "action": "buy", "note": "nothing here"}'
    assert take_credentials(alert_object(raw), raw) == ([], alert_object(raw))
