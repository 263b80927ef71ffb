"""What is stored beside the values, and what makes two alerts the same one."""

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from handlers import payloads
from state.event import SignalEvent
from state.jsontext import parse
from tests.handlers.payloads.reading_helpers import CONTEXT, codes, read_one, refused, update

TELEMETRY = {"schema_version": "1.0.0", "trade_id": "t1", "event_type": "ENTRY", "entry_price": 100, "x": [1, {"y": 0}]}


def batch(*items: Any, **shared: Any) -> list[SignalEvent]:
    """The events of a batch whose items are all right."""
    body = {"event_type": "MFE_UPDATE_BATCH", "signals": list(items), **shared}
    outcomes = payloads.read(body, CONTEXT).outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, SignalEvent)]


def test_telemetry_is_kept_whole() -> None:
    event = read_one(TELEMETRY)
    assert (event.telemetry, event.legacy_payload) == (TELEMETRY, None)


def test_wrapped_telemetry_is_kept_with_its_envelope() -> None:
    body = {"attributes": TELEMETRY, "message": "", "other": 1}
    event = read_one(body)
    assert (event.telemetry, event.legacy_payload, event.schema_version) == (body, None, "1.0.0")


@pytest.mark.parametrize("body", [{"type": "ENTRY", "signal_id": "a"}, {"event_type": "ENTRY", "trade_id": "a"}])
def test_legacy_alerts_are_kept_whole(body: dict[str, Any]) -> None:
    event = read_one(body)
    assert (event.telemetry, event.legacy_payload) == (None, body)


def test_an_item_is_kept_over_what_its_batch_shares() -> None:
    (event,) = batch({"trade_id": "a", "mfe": 1, "symbol": "ES"}, symbol="NQ", exchange="CME", trade_id="b")
    assert event.legacy_payload == {
        "event_type": "MFE_UPDATE_BATCH",
        "symbol": "ES",
        "exchange": "CME",
        "trade_id": "a",
        "mfe": 1,
    }
    assert (event.payload_version, event.telemetry, event.symbol, event.exchange) == ("batch", None, "ES", "CME")


def test_what_cannot_be_stored_is_replaced_in_the_body_wherever_it_stands() -> None:
    body = parse(
        '{"event_type":"MFE_UPDATE","trade_id":"a","mfe":NaN,"deep":[{"x":-Infinity}],"text":["a\\u0000\\udc00"]}'
    )
    event = read_one(body)
    assert event.legacy_payload == {
        "event_type": "MFE_UPDATE",
        "trade_id": "a",
        "mfe": None,
        "deep": [{"x": None}],
        "text": ["a\ufffd\ufffd"],
    }
    assert codes(event.warnings) == [("mfe", "NO_VALUE"), ("deep[0].x", "NO_VALUE"), ("text[0]", "TEXT_REPLACED")]


@pytest.mark.parametrize("name", ["a\0", "a\ud800"])
def test_names_that_cannot_be_stored_are_refused_not_replaced(name: str) -> None:
    error = refused({"event_type": "MFE_UPDATE", "trade_id": "a", name: 1, "outer": [{name: 2}]})
    assert codes(error.details) == [("a\ufffd", "BAD_KEY"), ("outer[0].a\ufffd", "BAD_KEY")]


@pytest.mark.parametrize(
    "body",
    [
        TELEMETRY,
        {"attributes": TELEMETRY, "message": ""},
        {"event_type": "MFE_UPDATE_BATCH", "signals": [{"trade_id": "a", "mfe": float("nan"), "t": {"x": "\0"}}]},
    ],
)
def test_the_senders_body_is_left_alone(body: dict[str, Any]) -> None:
    before = repr(deepcopy(body))
    payloads.read(body, CONTEXT)
    assert repr(body) == before


def test_the_key_is_the_digest_of_the_canonical_body() -> None:
    event = update(timestamp=1763649000, b=1, a=2)
    text = '{"a":2,"b":1,"event_type":"MFE_UPDATE","timestamp":1763649000,"trade_id":"t1"}'
    assert event.event_key == sha256(text.encode()).hexdigest()


def test_the_order_of_names_makes_no_difference_and_values_do() -> None:
    one = read_one({"event_type": "MFE_UPDATE", "trade_id": "t1", "timestamp": 1763649000, "mfe": 1})
    same = read_one({"mfe": 1, "timestamp": 1763649000, "trade_id": "t1", "event_type": "MFE_UPDATE"})
    other = read_one({"mfe": 2, "timestamp": 1763649000, "trade_id": "t1", "event_type": "MFE_UPDATE"})
    assert one.event_key == same.event_key != other.event_key


def test_an_alert_without_a_time_is_told_from_a_later_one_of_the_same_body() -> None:
    later = replace(CONTEXT, received_at=CONTEXT.received_at + timedelta(seconds=1))
    timeless = {"type": "MFE_UPDATE", "signal_id": "a", "mfe": 1}
    first, second = read_one(timeless), read_one(timeless, later)
    assert first.event_key == f"{first.body_hash}@2025-11-20T15:00:00+00:00"
    assert first.event_key != second.event_key
    assert first.body_hash == second.body_hash
    timed = {**timeless, "timestamp": 1763649000}
    assert read_one(timed).event_key == read_one(timed, later).event_key


def test_items_of_one_batch_have_keys_of_their_own() -> None:
    events = batch(
        {"trade_id": "a", "mfe": 1}, {"trade_id": "b", "mfe": 1}, {"trade_id": "a", "mfe": 1}, timestamp=1763649000
    )
    assert [event.trade_id for event in events] == ["a", "b", "a"]
    assert events[0].event_key == events[2].event_key != events[1].event_key


def test_warnings_of_an_item_say_where_it_stands() -> None:
    events = batch({"trade_id": "a", "mfe": 1}, {"trade_id": "b", "mfe": "na"}, session="")
    assert codes(events[1].warnings) == [("session", "NO_VALUE"), ("signals[1].mfe", "NO_VALUE")]


def test_a_hostile_body_gets_a_bounded_answer() -> None:
    event = update(noise=[float("nan")] * 5000)
    assert len(event.warnings) == 50
    keys = {f"k{number}\0": 1 for number in range(500)}
    assert len(refused({"event_type": "MFE_UPDATE", "trade_id": "a", **keys}).details) == 50
    error = refused({"event_type": "X" * 10_000, "trade_id": "a", "mfe": 10**3000, "timestamp": 10**3000})
    assert len(error.details) == 3
    assert max(len(detail.message) for detail in error.details) < 600
