"""Group commit: repeats, poison rows, lost connections, and many processes at once."""

import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from database import signals
from database.pool import Pool
from database.receipts import Delivery
from database.signals import Stored
from database.writer import SignalWriter
from errors import PoisonRow, QueryBug, RetryableDatabaseError, Unavailable
from state.event import SignalEvent
from tests.conftest import run_sql

FROM_TEST = Delivery(datetime(2026, 3, 2, 17, tzinfo=UTC), "127.0.0.1")
NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)


class Writer(SignalWriter):
    """The writer, told a delivery that does not matter here."""

    def write(self, events: Sequence[SignalEvent], *, timeout: float, delivery: Delivery = FROM_TEST) -> list[Stored]:
        return super().write(events, timeout=timeout, delivery=delivery)


def event(key: str, trade_id: str = "t", received_at: datetime = NOON, **fields: object) -> SignalEvent:
    made = SignalEvent(
        trade_id=trade_id,
        event_type="ENTRY",
        payload_version="direct",
        event_timestamp=NOON,
        event_time_source="iso",
        received_at=received_at,
        event_key=key,
        legacy_payload={"key": key},
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def timeless(body_hash: str, received_at: datetime) -> SignalEvent:
    key = f"{body_hash}@{received_at.isoformat()}"
    return event(key, received_at=received_at, event_time_source="received")


@pytest.fixture
def writer(database_url: str) -> Iterator[Writer]:
    made = Writer(database_url)
    yield made
    made.close()


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_repeats_within_one_group_and_after_it(writer: Writer) -> None:
    first, again = writer.write([event("a"), event("a", received_at=later(1))], timeout=5)
    assert (first.duplicate, again) == (False, Stored(first.event_id, duplicate=True))
    assert writer.write([event("a", received_at=later(2))], timeout=5) == [again]


def test_the_same_delivery_written_again_is_no_repeat(writer: Writer) -> None:
    assert writer.write([event("a")], timeout=5) == writer.write([event("a")], timeout=5)


def test_the_same_body_in_another_trade_is_another_event(writer: Writer) -> None:
    first, second = writer.write([event("a"), event("a", trade_id="u")], timeout=5)
    assert not second.duplicate
    assert first.event_id != second.event_id


def test_timeless_alerts_repeat_for_thirty_seconds_from_the_first(writer: Writer) -> None:
    def duplicate_at(seconds: float) -> bool:
        return writer.write([timeless("h", later(seconds))], timeout=5)[0].duplicate

    answers = [duplicate_at(at) for at in (0, 15, 29.999, 30, 45, 59.999, 61)]
    assert answers == [
        False,
        True,
        True,
        False,
        True,
        True,
        False,
    ]


def test_a_late_one_from_before_the_window_is_new_and_does_not_move_it(writer: Writer) -> None:
    at = [0, -20, -40, 20, 31]
    answers = [writer.write([timeless("h", later(seconds))], timeout=5)[0].duplicate for seconds in at]
    assert answers == [False, True, False, True, False]


def test_a_poison_row_does_not_fail_its_neighbours(writer: Writer, database_url: str) -> None:
    with ThreadPoolExecutor(12) as senders:
        alerts = [event(str(n), symbol="x" * 101 if n == 5 else None) for n in range(12)]
        futures = [senders.submit(writer.write, [alert], timeout=10) for alert in alerts]
    refused = [n for n, future in enumerate(futures) if isinstance(future.exception(), PoisonRow)]
    assert refused == [5]
    assert run_sql(database_url, "SELECT count(*) FROM automated_signals") == [(11,)]


@pytest.mark.parametrize("bad", ["nul\x00", "surrogate\ud800"])
def test_text_that_postgresql_cannot_hold_is_poison(writer: Writer, bad: str) -> None:
    with pytest.raises(PoisonRow):
        writer.write([event("a", symbol=bad)], timeout=5)


def test_a_lost_connection_is_replaced(writer: Writer, database_url: str) -> None:
    writer.write([event("a")], timeout=5)
    run_sql(
        database_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    assert not writer.write([event("b")], timeout=5)[0].duplicate


def test_a_database_that_is_away_is_retryable() -> None:
    writer = Writer("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(RetryableDatabaseError):
        writer.write([event("a")], timeout=10)


def test_our_own_mistakes_are_told_apart(empty_database_url: str) -> None:
    with pytest.raises(QueryBug):
        Writer(empty_database_url).write([event("a")], timeout=10)


def test_late_is_unavailable_and_can_be_written_again(writer: Writer, database_url: str) -> None:
    writer.write([event("a")], timeout=5)
    with pytest.raises(Unavailable):
        writer.write([event("b")], timeout=0)
    assert not writer.write([event("b")], timeout=5)[0].duplicate
    writer.close()
    assert run_sql(database_url, "SELECT count(*) FROM automated_signals") == [(2,)]
    with pytest.raises(Unavailable):
        writer.write([event("c")], timeout=1)


def test_many_threads_share_the_writer(writer: Writer, database_url: str) -> None:
    with ThreadPoolExecutor(32) as senders:
        answers = list(senders.map(lambda n: writer.write([event(str(n % 100))], timeout=10)[0], range(400)))
    assert len({answer.event_id for answer in answers}) == 100
    assert run_sql(database_url, "SELECT count(*), count(DISTINCT event_key) FROM automated_signals") == [(100, 100)]
    assert run_sql(database_url, "SELECT count(*) FROM trade_dirty") != [(0,)]


def _send(url: str, barrier: "threading.Barrier", key: str, own_time: bool, times: int) -> None:
    writer = Writer(url)
    barrier.wait()
    with ThreadPoolExecutor(times) as senders:
        alert = event(key) if own_time else timeless(key, datetime.now(UTC))
        alerts = [replace(alert, received_at=datetime.now(UTC)) for _ in range(times)]
        list(senders.map(lambda one: writer.write([one], timeout=20), alerts))
    writer.close()


@pytest.mark.parametrize("own_time", [True, False])
def test_the_same_alert_in_many_processes_is_one_row(database_url: str, own_time: bool) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(5)
    processes = [spawn.Process(target=_send, args=(database_url, barrier, "k", own_time, 10)) for _ in range(5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
        assert process.exitcode == 0
    assert run_sql(database_url, "SELECT count(*) FROM automated_signals") == [(1,)]


def test_the_window_is_forgotten_in_time(writer: Writer, database_url: str) -> None:
    writer.write([timeless("h", NOON)], timeout=5)
    pool = Pool(database_url, 2)
    assert signals.delete_old_window(pool, now=later(60)) == 0
    assert signals.delete_old_window(pool, now=later(600)) == 1
    pool.close()


def test_values_come_back_exactly(writer: Writer, database_url: str) -> None:
    sent = event(
        "a",
        entry_price=Decimal("0.1234567890123456789"),
        mfe=Decimal(0),
        mae=Decimal("-1.50"),
        position_size=Decimal("0.00001234"),
        targets={"target_1r": Decimal("1.08345")},
        session="NY AM",
    )
    writer.write([sent], timeout=5)
    pool = Pool(database_url, 2)
    (back,) = signals.select_events_for_trade(pool, "t")
    pool.close()
    assert replace(back, id=None) == sent
    assert [str(number) for number in (back.entry_price, back.mfe, back.mae)] == ["0.1234567890123456789", "0", "-1.50"]
