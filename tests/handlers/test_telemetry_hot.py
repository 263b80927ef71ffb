"""Hot values in a real Redis: whole, renewed, and never trusted further than PostgreSQL says."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from database import hot
from settings import load
from tests.handlers.telemetry_helpers import ago, equity, health, latency, order, read, signal, take
from tests.redis_server import RedisServer
from web_server import create_app


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    server = RedisServer().start()
    yield server
    server.end()


@pytest.fixture
def redis_server(running: RedisServer) -> Iterator[RedisServer]:
    hot.store.cache_clear()
    with running.client as client:
        client.flushall()
    yield running
    hot.store.cache_clear()


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[Any]:
    with redis_server.client as client:
        yield client


@pytest.fixture
def client(database_url: str, redis_server: RedisServer) -> FlaskClient:
    return create_app(load({"DATABASE_URL": database_url, "REDIS_URL": redis_server.url})).test_client()


def percentiles(client: FlaskClient) -> tuple[Any, ...]:
    (found,) = read(client, "metrics/system/1")
    names = ("sample_count", "api_latency_avg_ms", "api_latency_p50_ms", "api_latency_p95_ms", "api_latency_p99_ms")
    return tuple(found[name] for name in names)


def test_the_keys_hold_the_newest_values_for_an_hour(client: FlaskClient, store: Any) -> None:
    take(client, equity(200, 5), health(5, "s"), order("o1", "filled", 5), *[latency(5, script="s") for _ in range(3)])
    take(client, signal(3, symbol="B"), signal(4, symbol="A"))
    take(client, equity(100, 6), health(6, "s", status="error"), order("o1", "pending", 6), signal(2, symbol="C"))
    assert json.loads(store.get("telemetry:equity:1:latest"))["account_equity"] == 200
    assert json.loads(store.get("telemetry:health:1:s:latest"))["status"] == "healthy"
    assert json.loads(store.get("telemetry:orders:1:o1"))["status"] == "filled"
    assert store.zcard("telemetry:latency:1:s") == 3
    signals = [json.loads(text)["symbol"] for text in store.lrange("telemetry:breakout:1:signals", 0, -1)]
    assert signals == ["C", "B", "A"]
    for key in store.scan_iter("telemetry:*"):
        assert 3590 < store.ttl(key) <= 3600


def test_percentiles_from_redis_are_those_of_postgresql(
    client: FlaskClient, store: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(client, *[latency(value % 37 + 0.5) for value in range(200)])
    without = create_app(load({"DATABASE_URL": database_url})).test_client()
    expected = percentiles(without)
    asked: list[str] = []

    def note(text: str) -> Decimal:
        asked.append(text)
        return Decimal(text)

    monkeypatch.setattr(hot, "number", note)
    assert percentiles(client) == expected
    assert len(asked) == 200


def test_flushed_in_the_middle_nothing_is_lost_or_invented(client: FlaskClient, store: Any) -> None:
    take(client, *[latency(100) for _ in range(50)])
    store.flushall()
    take(client, *[latency(1) for _ in range(50)], equity(5))
    assert percentiles(client) == (100, pytest.approx(50.5), 1, 100, 100)
    # reading filled it again
    assert store.zcard("telemetry:latency:1:order_monitor") == 100
    assert percentiles(client) == (100, pytest.approx(50.5), 1, 100, 100)
    store.flushall()
    assert read(client, "metrics/equity/1")["current_equity"] == 5


WRONG = (
    ("set", "telemetry:latency:1:order_monitor", "text where a set should be"),
    ("zadd", "telemetry:latency:1:order_monitor", {"not a number|x": 4102444800.0}),
    ("zadd", "telemetry:latency:1:order_monitor", {"99999|x": 4102444800.0}),
    ("set", "telemetry:equity:1:latest", '{"account_equity": 1}'),
    ("rpush", "telemetry:health:1:order_monitor:latest", "a list"),
    ("sadd", "telemetry:breakout:1:signals", "a set"),
)


@pytest.mark.parametrize(("command", "key", "value"), WRONG)
def test_wrong_values_are_not_believed(client: FlaskClient, store: Any, command: str, key: str, value: Any) -> None:
    take(client, *[latency(5) for _ in range(10)], equity(100))
    before = percentiles(client)
    if command != "zadd":
        store.delete(key)
    getattr(store, command)(key, value)
    assert percentiles(client) == before
    assert read(client, "metrics/equity/1")["current_equity"] == 100
    # and writing goes on past them
    take(client, health(0), signal(), latency(5))
    assert percentiles(client)[0] == 11


def test_a_swapped_sample_is_found_out(client: FlaskClient, store: Any) -> None:
    take(client, *[latency(5) for _ in range(10)])
    key = "telemetry:latency:1:order_monitor"
    member, score = store.zpopmin(key)[0]
    store.zadd(key, {"7|" + member: score})
    assert percentiles(client) == (10, 5, 5, 5, 5)


def test_redis_away_or_frozen_fails_nothing(client: FlaskClient, redis_server: RedisServer, database_url: str) -> None:
    take(client, *[latency(5) for _ in range(10)])
    redis_server.freeze()
    take(client, latency(7), equity(3))
    assert percentiles(client)[0] == 11
    redis_server.thaw()
    redis_server.end()
    hot.store.cache_clear()
    take(client, latency(7))
    assert percentiles(client)[0] == 12
    redis_server.start()
    hot.store.cache_clear()
    assert percentiles(client)[0] == 12
    assert percentiles(client)[0] == 12


def test_a_redis_that_failed_is_left_alone_for_a_while(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = hot.HotStore("redis://127.0.0.1:1/0")
    assert one.is_on
    one.refill(1, "s", [])
    assert not one.is_on
    later = hot.time.monotonic() + hot.REST_SECONDS + 1
    monkeypatch.setattr(hot.time, "monotonic", lambda: later)
    assert one.is_on


def test_more_samples_than_are_kept_come_from_postgresql(
    client: FlaskClient, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot, "MAX_SAMPLES", 20)
    take(client, *[latency(value) for value in range(1, 101)])
    assert store.zcard("telemetry:latency:1:order_monitor") == 21
    assert percentiles(client) == (100, pytest.approx(50.5), 50, 95, 99)


def test_old_samples_leave(client: FlaskClient, store: Any) -> None:
    take(client, latency(5, 61), latency(5, 59))
    assert store.zcard("telemetry:latency:1:order_monitor") == 1
    (found,) = read(client, "metrics/system/1")
    assert (found["sample_count"], found["last_seen"]) == (1, ago(59))


def test_without_a_url_there_is_no_redis() -> None:
    one = hot.HotStore(None)
    assert not one.is_on
    one.put([], "b")
    assert one.latencies(1, "s", datetime.now(UTC)) is None
