"""Recording: never raising, never waiting, everything accounted for."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telemetry_client import FileStorage, Receipt, Refused, Storage, TelemetryManager, Unreachable
from tests.processes import wait_until

NOW = datetime.now(UTC)


class Memory(Storage):
    """Keeps batches; does what `fault` says first."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[dict[str, Any]]]] = []
        self.tries = 0
        self.fault: Callable[[], Receipt | None] = lambda: None

    def send(self, batch_id: str, body: bytes, count: int) -> Receipt:
        self.tries += 1
        receipt = self.fault()
        records = [json.loads(line) for line in body.decode().splitlines()]
        assert len(records) == count
        self.batches.append((batch_id, records))
        return receipt or Receipt(count)

    @property
    def records(self) -> list[dict[str, Any]]:
        return [record for _, records in self.batches for record in records]


@pytest.fixture
def storage() -> Memory:
    return Memory()


@pytest.fixture
def manager(storage: Memory) -> Iterator[TelemetryManager]:
    made = TelemetryManager(storage)
    yield made
    made.close()


def balanced(stats: dict[str, Any]) -> bool:
    """Whether every record is in exactly one account."""
    parts = ("sent", "rejected", "refused", "queued", "dropped", "invalid", "spooled", "lost")
    return bool(stats["recorded"] == sum(stats[part] for part in parts))


def test_every_method_makes_its_record(manager: TelemetryManager, storage: Memory) -> None:
    manager.record_breakout_signal(1, "SPY", "upward", 0.7, 500.25, 1.5, 1000, timestamp=NOW, metadata={"a": NOW})
    manager.record_breakout_outcome(1, "SPY", Decimal("100.10"), 101, 5, NOW, NOW, 0.5, "upward", 99.5, side="short")  # type: ignore[arg-type]
    manager.record_equity_update(1, 1000, 1, 2, 3, 4, 5)
    manager.record_order_metric(1, "SPY", "limit", "buy", "pending", 5, "o1", 100, api_latency_ms=3.5, script_name="s")
    manager.record_api_latency(1, "s", np.float64(12.5))
    manager.record_system_health(1, "s", "healthy", 3.5, 10, 200, error_count=1)
    assert manager.flush(5)
    signal, outcome, equity, order, latency, health = storage.records
    assert signal == {
        "kind": "breakout_signal",
        "profile_id": 1,
        "timestamp": NOW.isoformat(),
        "symbol": "SPY",
        "direction": "upward",
        "bar_strength": 0.7,
        "close_price": 500.25,
        "candle_size": 1.5,
        "volume": 1000,
        "metadata": {"a": NOW.isoformat()},
    }
    assert (outcome["entry_price"], outcome["side"], outcome["timestamp"]) == ("100.10", "short", NOW.isoformat())
    assert (equity["open_positions_count"], order["order_id"], order["script_name"]) == (5, "o1", "s")
    assert (latency["latency_ms"], health["api_rate_limit_limit"], health["error_count"]) == (12.5, 200, 1)
    assert abs(datetime.fromisoformat(equity["timestamp"]).timestamp() - time.time()) < 60
    assert balanced(manager.stats())


BAD: list[tuple[Callable[[TelemetryManager], None], str]] = [
    (lambda m: m.record_breakout_signal(1, "SPY", "up", 1.01, 1, 1, 1), "bar_strength lies outside 0 to 1"),
    (lambda m: m.record_breakout_signal(1, "SPY", "up", float("nan"), 1, 1, 1), "bar_strength is not finite"),
    (lambda m: m.record_breakout_signal(1, "SPY", "up", 0.5, float("inf"), 1, 1), "close_price is not finite"),
    (lambda m: m.record_breakout_signal(1, "", "up", 0.5, 1, 1, 1), "symbol is not text"),
    (lambda m: m.record_breakout_signal(1, "SPY", "up", 0.5, 1, 1, 1, datetime(2026, 1, 5)), "timestamp has no time"),  # noqa: DTZ001
    (lambda m: m.record_breakout_outcome(1, "SPY", 1, 2, 0, NOW, NOW), "quantity is not above 0"),
    (lambda m: m.record_api_latency(1, "s", Decimal("NaN")), "latency_ms is not finite"),  # type: ignore[arg-type]
    (lambda m: m.record_api_latency(1, "s", -1), "latency_ms is below 0"),
    (lambda m: m.record_api_latency(1, "s", "5"), "latency_ms is not a number"),  # type: ignore[arg-type]
    (lambda m: m.record_api_latency(1, "s", True), "latency_ms is not a number"),
    (lambda m: m.record_api_latency(1, "s", None), "latency_ms is missing"),  # type: ignore[arg-type]
    (lambda m: m.record_api_latency(-1, "s", 1), "profile_id is below 0"),
    (lambda m: m.record_api_latency(1.5, "s", 1), "profile_id is not a whole number"),  # type: ignore[arg-type]
    (lambda m: m.record_api_latency(1, "x" * 101, 1), "script_name has more than 100"),
    (lambda m: m.record_equity_update(1, 1, 1, 1, 1, 1, 1, metadata=[1]), "metadata is not a dict"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "reason"), BAD)
def test_bad_values_are_counted_not_raised(
    manager: TelemetryManager, storage: Memory, call: Callable[[TelemetryManager], None], reason: str
) -> None:
    call(manager)
    stats = manager.stats()
    assert (stats["recorded"], stats["invalid"]) == (1, 1)
    assert reason in next(iter(stats["invalid_reasons"]))
    assert manager.flush(5)
    assert storage.records == []


@pytest.mark.parametrize(("call", "reason"), BAD)
def test_a_strict_manager_raises(storage: Memory, call: Callable[[TelemetryManager], None], reason: str) -> None:
    manager = TelemetryManager(storage, strict=True)
    with pytest.raises(ValueError, match=reason):
        call(manager)
    manager.close()


def test_a_wrong_call_does_not_reach_the_script(manager: TelemetryManager) -> None:
    manager.record_api_latency(1)  # type: ignore[call-arg]
    manager.record_api_latency(1, "s", 5, nonsense=1)  # type: ignore[call-arg]
    manager.record_breakout_signal(1, "SPY", "up", np.array([1, 2]), 1, 1, 1)  # type: ignore[arg-type]
    stats = manager.stats()
    assert (stats["invalid"], stats["recorded"]) == (3, 3)


def test_what_json_cannot_hold_is_counted_when_it_is_sent(manager: TelemetryManager, storage: Memory) -> None:
    circle: dict[str, Any] = {}
    circle["itself"] = circle
    manager.record_equity_update(1, 1, 1, 1, 1, 1, 1, metadata=circle)
    manager.record_equity_update(1, 1, 1, 1, 1, 1, 1, metadata={"nan": float("nan")})
    manager.record_equity_update(1, 1, 1, 1, 1, 1, 1, metadata={"long": "x" * 100_000})
    manager.record_equity_update(1, 2, 1, 1, 1, 1, 1, metadata={"odd": {1}})
    assert manager.flush(5)
    assert [record["account_equity"] for record in storage.records] == [2]
    assert (manager.stats()["invalid"], balanced(manager.stats())) == (3, True)


def test_one_log_line_for_all_bad_values(storage: Memory, caplog: pytest.LogCaptureFixture) -> None:
    manager = TelemetryManager(storage)
    with caplog.at_level(logging.WARNING, "telemetry_client"):
        for _ in range(50):
            manager.record_api_latency(1, "s", -1)
        manager.close()
    assert len([record for record in caplog.records if "invalid" in record.message]) == 1


def test_metadata_is_copied(manager: TelemetryManager, storage: Memory) -> None:
    note = {"step": 1}
    manager.record_equity_update(1, 1, 1, 1, 1, 1, 1, metadata=note)
    note["step"] = 2
    assert manager.flush(5)
    assert storage.records[0]["metadata"] == {"step": 1}


def test_a_full_queue_drops_and_counts(storage: Memory) -> None:
    gate = threading.Event()

    def held() -> None:
        gate.wait(20)

    storage.fault = held
    manager = TelemetryManager(storage, batch_size=10, max_queue=100)
    for _ in range(10):
        manager.record_api_latency(1, "s", 1)
    wait_until(lambda: storage.tries == 1, 10, "the first batch")
    for _ in range(1000):
        manager.record_api_latency(1, "s", 1)
    stats = manager.stats()
    assert (stats["queued"], stats["dropped"]) == (110, 900)
    gate.set()
    assert manager.flush(10)
    manager.close()
    assert (len(storage.records), balanced(manager.stats())) == (110, True)


def test_batches_go_by_size(storage: Memory) -> None:
    manager = TelemetryManager(storage, batch_size=20, flush_interval_seconds=3600)
    for _ in range(45):
        manager.record_api_latency(1, "s", 1)
    wait_until(lambda: len(storage.records) == 40, 10, "two full batches")
    assert manager.stats()["queued"] == 5
    manager.close()
    assert [len(records) for _, records in storage.batches] == [20, 20, 5]
    assert len({batch_id for batch_id, _ in storage.batches}) == 3


def test_a_steady_trickle_is_flushed_by_time(storage: Memory) -> None:
    manager = TelemetryManager(storage, batch_size=10_000, flush_interval_seconds=0.2)
    stop = threading.Event()

    def trickle() -> None:
        while not stop.wait(0.01):
            manager.record_api_latency(1, "s", 1)

    thread = threading.Thread(target=trickle)
    thread.start()
    wait_until(lambda: len(storage.batches) >= 3, 20, "three timed batches of a trickle that never pauses")
    stop.set()
    thread.join()
    manager.close()


def test_a_batch_keeps_its_id_over_its_tries(storage: Memory) -> None:
    ids = []
    sending = storage.send

    def lose_the_answer(batch_id: str, body: bytes, count: int) -> Receipt:
        ids.append(batch_id)
        if len(ids) < 3:
            raise Unreachable("the answer was lost")
        return sending(batch_id, body, count)

    storage.send = lose_the_answer  # type: ignore[method-assign]
    manager = TelemetryManager(storage)
    manager.record_api_latency(1, "s", 1)
    assert manager.flush(10)
    stats = manager.stats()
    assert (len(ids), len(set(ids)), stats["failures"], stats["sent"]) == (3, 1, 2, 1)
    assert stats["last_error"] == "the answer was lost"
    manager.close()


def test_a_storage_that_fails_oddly_does_not_end_the_sending(storage: Memory) -> None:
    faults = iter([KeyError("odd"), RuntimeError("odder"), Exception("oddest")])

    def fail() -> None:
        for fault in faults:
            raise fault

    storage.fault = fail
    manager = TelemetryManager(storage)
    manager.record_api_latency(1, "s", 1)
    assert manager.flush(10)
    assert (manager.stats()["sent"], manager.stats()["failures"]) == (1, 3)
    manager.close()


class Odd(dict[str, Any]):
    """Whatever is asked of it fails in a way of its own."""

    def _fail(self, *_: Any) -> Any:
        raise Exception("odd")

    __float__ = __iter__ = __str__ = keys = items = _fail


def test_a_value_that_fails_oddly_costs_only_its_record(manager: TelemetryManager, storage: Memory) -> None:
    manager.record_api_latency(1, "s", Odd())  # type: ignore[arg-type]
    manager.record_system_health(1, "s", "healthy", metadata=Odd(a=1))
    manager.record_system_health(1, "s", "healthy", None, None, None, 0, 0, None, {"a": [Odd(a=1)]})
    manager.record_api_latency(1, "s", 1)
    assert manager.flush(10)
    stats = manager.stats()
    assert (stats["sent"], stats["invalid"], balanced(stats)) == (1, 3, True)
    assert [record["latency_ms"] for record in storage.records] == [1]


def test_what_the_server_rejects_or_refuses_is_counted(storage: Memory) -> None:
    storage.fault = lambda: Receipt(1, [{"line": 2, "error": "bad"}])
    manager = TelemetryManager(storage, batch_size=2)
    for _ in range(2):
        manager.record_api_latency(1, "s", 1)
    assert manager.flush(10)

    def refuse() -> None:
        raise Refused("too old")

    storage.fault = refuse
    manager.record_api_latency(1, "s", 1)
    assert manager.flush(10)
    stats = manager.stats()
    assert (stats["sent"], stats["rejected"], stats["refused"], balanced(stats)) == (1, 1, 1, True)
    manager.close()


def test_many_threads_lose_nothing(manager: TelemetryManager, storage: Memory) -> None:
    def record() -> None:
        for _ in range(2000):
            manager.record_api_latency(1, "s", 1)

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert manager.flush(20)
    assert (manager.stats()["sent"], len(storage.records)) == (16_000, 16_000)
    assert balanced(manager.stats())


def test_a_disabled_manager_does_nothing(storage: Memory) -> None:
    manager = TelemetryManager(storage, enabled=False)
    manager.record_api_latency(1, "s", 1)
    manager.record_api_latency(1)  # type: ignore[call-arg]
    assert manager.flush(1)
    manager.close()
    assert (manager.stats()["recorded"], storage.tries) == (0, 0)


def test_after_close_records_are_dropped_and_counted(storage: Memory) -> None:
    manager = TelemetryManager(storage)
    manager.close()
    manager.close()
    manager.record_api_latency(1, "s", 1)
    assert (manager.stats()["dropped"], manager.flush(1)) == (1, True)


def test_measuring_records_failures_too(manager: TelemetryManager, storage: Memory) -> None:
    with manager.measure_latency(1, "s"):
        pass
    with pytest.raises(KeyError), manager.measure_latency(1, "s"):
        raise KeyError
    assert manager.flush(5)
    assert [record["kind"] for record in storage.records] == ["latency", "latency"]


def test_the_order_decorator(manager: TelemetryManager, storage: Memory) -> None:
    @manager.order(1, script_name="s", order_type="limit")
    def place(symbol: str, side: str, quantity: int, limit_price: float | None = None) -> dict[str, Any]:
        """Places it."""
        if symbol == "BAD":
            raise ConnectionError
        return {"id": 7, "status": "filled" if symbol == "QQQ" else "accepted"}

    assert place("SPY", side="buy", quantity=5, limit_price=1.5)["id"] == 7
    place("QQQ", "buy", 1)
    with pytest.raises(ConnectionError):
        place("BAD", "buy", 1)
    with pytest.raises(TypeError):
        place("SPY")  # type: ignore[call-arg]
    assert manager.flush(5)
    spy, qqq, bad = storage.records
    assert (spy["order_id"], spy["status"], spy["limit_price"], spy["script_name"]) == ("7", "pending", 1.5, "s")
    assert (qqq["status"], bad["status"], "order_id" in bad) == ("filled", "rejected", False)
    assert spy["api_latency_ms"] >= 0
    assert manager.stats()["invalid"] == 1
    assert place.__doc__ == "Places it."


class Side(str, Enum):  # noqa: UP042 - as libraries for Python 3.9 have it; str() of it is "Side.BUY"
    BUY = "buy"
    FILLED = "Filled"


class BrokersOrder:
    """As brokers' libraries have it: texts are Enums, and looking at it may fail."""

    id = 8
    status = Side.FILLED

    @property
    def slippage(self) -> float:
        raise Exception("not loaded")


def test_the_order_decorator_reads_a_brokers_objects(manager: TelemetryManager, storage: Memory) -> None:
    @manager.order(1, order_type="market", api_latency_ms=5)
    def place(symbol: str, side: Side, quantity: int) -> BrokersOrder:
        return BrokersOrder()

    @manager.order(1, order_type="market")
    def cancel(symbol: str, side: Side, quantity: int) -> dict[str, Any]:
        return {"id": 9, "status": "CANCELLED"}

    assert place("SPY", Side.BUY, 1).id == 8
    cancel("SPY", Side.BUY, 1)
    assert manager.flush(5)
    told = [(order["order_id"], order["side"], order["status"]) for order in storage.records]
    assert told == [("8", "buy", "filled"), ("9", "buy", "canceled")]
    assert storage.records[0]["api_latency_ms"] == 5


def test_the_order_decorator_times_what_is_awaited(manager: TelemetryManager, storage: Memory) -> None:
    @manager.order(1, order_type="market")
    async def place(symbol: str, side: str, quantity: int) -> dict[str, Any]:
        await asyncio.sleep(0.05)
        if symbol == "BAD":
            raise ConnectionError
        return {"id": 7, "status": "filled"}

    with ThreadPoolExecutor(1) as apart:  # tests of pages leave a loop running in this thread
        assert apart.submit(lambda: asyncio.run(place("SPY", "buy", 1))).result()["id"] == 7
        with pytest.raises(ConnectionError):
            apart.submit(lambda: asyncio.run(place("BAD", "buy", 1))).result()
    assert manager.flush(5)
    assert [order["status"] for order in storage.records] == ["filled", "rejected"]
    assert storage.records[0]["order_id"] == "7"
    assert all(order["api_latency_ms"] > 45 for order in storage.records)


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="must be more than 0"):
        TelemetryManager(Memory(), batch_size=0)


def test_a_file_gets_whole_lines(tmp_path: Path) -> None:
    manager = TelemetryManager(FileStorage(tmp_path / "out.ndjson"), batch_size=3)
    for value in range(10):
        manager.record_api_latency(1, "s", value)
    manager.close()
    lines = (tmp_path / "out.ndjson").read_text().splitlines()
    assert [json.loads(line)["latency_ms"] for line in lines] == list(range(10))


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    manager = TelemetryManager(FileStorage(folder / "out.ndjson"), batch_size=1)
    manager.record_api_latency(1, "s", 1)
    wait_until(lambda: manager.stats()["failures"] > 0, 10, "the first failure")
    folder.mkdir()
    assert manager.flush(10)
    manager.close()
