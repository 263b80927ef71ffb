"""Instants, epochs and wall clocks, with both DST nights minute by minute."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from handlers import payloads
from tests.handlers.payloads.reading_helpers import CONTEXT, RECEIVED_AT, codes, read_one, refused, update

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "clock", "instant", "warning"),
    [
        ("2025-03-09", "01:59:59", datetime(2025, 3, 9, 6, 59, 59, tzinfo=UTC), None),
        ("2025-03-09", "02:00:00", datetime(2025, 3, 9, 7, 0, tzinfo=UTC), "NONEXISTENT_LOCAL_TIME"),
        ("2025-03-09", "02:59:59", datetime(2025, 3, 9, 7, 59, 59, tzinfo=UTC), "NONEXISTENT_LOCAL_TIME"),
        ("2025-03-09", "03:00:00", datetime(2025, 3, 9, 7, 0, tzinfo=UTC), None),
        ("2025-11-02", "00:59:59", datetime(2025, 11, 2, 4, 59, 59, tzinfo=UTC), None),
        ("2025-11-02", "01:00:00", datetime(2025, 11, 2, 5, 0, tzinfo=UTC), "AMBIGUOUS_LOCAL_TIME"),
        ("2025-11-02", "01:59:59", datetime(2025, 11, 2, 5, 59, 59, tzinfo=UTC), "AMBIGUOUS_LOCAL_TIME"),
        ("2025-11-02", "02:00:00", datetime(2025, 11, 2, 7, 0, tzinfo=UTC), None),
    ],
)
def test_new_york_clock_on_dst_nights(day: str, clock: str, instant: datetime, warning: str | None) -> None:
    event = update(date=day, time=clock)
    assert (event.event_timestamp, event.event_time_source) == (instant, "new_york")
    assert codes(event.warnings) == ([("time", warning)] if warning else [])


@pytest.mark.parametrize(
    ("instant", "session"),
    [
        ("2025-03-09T06:59:59Z", "LONDON"),
        ("2025-03-09T10:00:00Z", "NY PRE"),
        ("2025-03-08T11:00:00Z", "NY PRE"),
        ("2025-03-08T10:59:59Z", "LONDON"),
        ("2025-11-02T06:30:00Z", "LONDON"),
        ("2025-11-02T10:59:59Z", "LONDON"),
        ("2025-11-02T11:00:00Z", "NY PRE"),
        ("2025-11-03T00:59:59Z", "AFTER_HOURS"),
        ("2025-11-03T01:00:00Z", "ASIA"),
    ],
)
def test_derived_session_follows_the_clock_of_that_day(instant: str, session: str) -> None:
    assert update(timestamp=instant).session == session


@pytest.mark.parametrize(
    ("zone", "instant"),
    [
        ("UTC", datetime(2025, 7, 1, 9, 30, tzinfo=UTC)),
        ("America/New_York", datetime(2025, 7, 1, 13, 30, tzinfo=UTC)),
        ("America/Chicago", datetime(2025, 7, 1, 14, 30, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2025, 7, 1, 4, 0, tzinfo=UTC)),
    ],
)
def test_time_without_offset_is_in_the_zone_that_is_set(zone: str, instant: datetime) -> None:
    context = payloads.Context(received_at=RECEIVED_AT, naive_zone=zone)
    event = read_one({"event_type": "ENTRY", "trade_id": "t1", "price": 1, "timestamp": "2025-07-01T09:30:00"}, context)
    assert (event.event_timestamp, event.event_time_source) == (instant, "naive")
    assert codes(event.warnings) == [("timestamp", "NAIVE_TIMESTAMP")]
    assert zone in event.warnings[0].message


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        (946684800, datetime(2000, 1, 1, tzinfo=UTC)),
        (946684800000, datetime(2000, 1, 1, tzinfo=UTC)),
        (4133980799, datetime(2100, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (4133980799999, datetime(2100, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        (Decimal("1763649000.123456789"), EPOCH + timedelta(seconds=1763649000, microseconds=123456)),
        (Decimal("1.763649E+9"), EPOCH + timedelta(seconds=1763649000)),
        ("1763649000.5", EPOCH + timedelta(seconds=1763649000, microseconds=500000)),
    ],
)
def test_epoch_seconds_and_milliseconds_are_told_apart_by_size(value: Any, instant: datetime) -> None:
    event = update(timestamp=value)
    assert (event.event_timestamp, event.event_time_source) == (instant, "epoch")


@pytest.mark.parametrize("value", [946684799, 4133980800, 4133980800000, 946684799999, 10**50])
def test_epoch_outside_the_years_is_refused(value: int) -> None:
    assert codes(refused({"event_type": "ENTRY", "trade_id": "t1", "timestamp": value}).details) == [
        ("timestamp", "TIME_OUT_OF_RANGE")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "2025-11-20t14:30:00z",
        "2025-11-20 14:30:00 Z",
        "2025-11-20T14:30:00+00",
        "2025-11-20T15:30:00+0100",
        " 2025-11-20T14:30:00Z ",
        "2025-11-20T14:30:00.000000000000Z",
    ],
)
def test_spellings_of_iso_with_offset(text: str) -> None:
    event = update(timestamp=text)
    assert event.event_timestamp == datetime(2025, 11, 20, 14, 30, tzinfo=UTC)
    assert (event.event_time_source, event.warnings) == ("iso", ())


def test_a_year_that_only_its_offset_moves_out_of_range_is_refused() -> None:
    error = refused({"event_type": "ENTRY", "trade_id": "t1", "timestamp": "2000-01-01T00:00:00+01:00"})
    assert codes(error.details) == [("timestamp", "TIME_OUT_OF_RANGE")]


def test_without_a_time_the_receipt_counts_and_says_so() -> None:
    event = update(mfe=1)
    assert event.event_timestamp == CONTEXT.received_at
    assert (event.event_time_source, event.has_own_time, event.session) == ("received", False, "NY AM")


def test_events_are_always_in_utc() -> None:
    for fields in ({"timestamp": "2025-07-01T09:30:00-04:00"}, {"date": "2025-07-01", "time": "09:30"}):
        assert update(**fields).event_timestamp.tzinfo is UTC
