"""Streams are folded again from a checkpoint: whatever comes in whatever order, the whole fold says the same."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient

from database import position_streams, rebuild, signals
from database.pool import Pool
from settings import Settings
from state import jsontext, position
from state.position import fold_stream
from tests.conftest import run_sql
from tests.handlers.test_reads import get, order
from tests.handlers.test_signals import post

STREAM = "pos~EMA~Cross:NQ1!:CME_MINI:5"
SIZES = [0, 1, 2, 0, -1, 1, 1, -2, -1, 0, 3, -1, 1, 0]


def course(rounds: int) -> list[dict[str, Any]]:
    """Trades, reversals and pyramiding, with a close and an entry in one instant now and then."""
    sizes = [0, *SIZES[1:] * rounds]
    moves = [(before, after) for before, after in pairwise(sizes) if before != after]
    return [
        order(number - number % 5 // 4, "buy" if after > before else "sell", before, after, 100 + number % 7)
        for number, (before, after) in enumerate(moves)
    ]


@pytest.fixture
def pool(settings: Settings) -> Any:
    made = Pool(str(settings.database_url), 2)
    yield made
    made.close()


def assert_whole(client: FlaskClient, pool: Pool) -> None:
    """Trades, gaps and single reads are what the fold of everything gives."""
    whole = fold_stream(signals.select_events_for_trade(pool, STREAM))
    expected = {trade.trade_id: jsontext.stored(jsontext.dump(trade.as_dict())) for trade in whole.trades}
    for trade in whole.trades:  # before the lists are asked, so that marks are still there
        read = get(client, f"trade/{trade.trade_id}")
        assert {**read["trade"], "realized_money": None} == {**expected[trade.trade_id], "realized_money": None}
        assert [one["event_timestamp"] for one in read["events"]] == [
            one.event_timestamp.isoformat() for one in trade.events
        ]
    assert get(client, f"trade/{STREAM}")["trade"]["trade_id"] == whole.trades[-1].trade_id
    kept = {one["trade_id"]: one for one in get(client, "trades?limit=1000")["items"]}
    assert {name: {**one, "realized_money": None} for name, one in kept.items()} == {
        name: {**one, "realized_money": None} for name, one in expected.items()
    }
    gaps = [(one["after"], one["before"]) for one in get(client, "gaps")["items"]]
    assert gaps == [(gap.after.isoformat(), gap.before.isoformat()) for gap in reversed(whole.gaps)]
    assert rebuild.rebuild(pool).differed == []


def test_whatever_order_alerts_come_in(client: FlaskClient, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(position, "CHECKPOINT_EVERY", 3)
    chance, alerts = random.Random(7), course(4)
    for place in range(len(alerts)):
        other = min(len(alerts) - 1, place + chance.choice((0, 0, 0, 0, 1, 8)))
        alerts[place], alerts[other] = alerts[other], alerts[place]
    for number, alert in enumerate(alerts):
        post(client, alert)
        if chance.random() < 0.4:
            get(client, "stats")
        if number in (10, 30, len(alerts) - 1):
            assert_whole(client, pool)
    assert get(client, "gaps")["items"] == []


def test_an_alert_in_order_reads_little_of_a_long_stream(
    client: FlaskClient, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for alert in course(14):
        post(client, alert)
    get(client, "stats")
    read: list[int] = []

    def count(events: Any, start: Any = None) -> Any:
        read.append(len(events))
        return fold_stream(events, start)

    monkeypatch.setattr(position_streams, "fold_stream", count)
    post(client, order(5000, "buy", 0, 1, 100))
    get(client, "stats")
    events, start = position_streams.select_events_of(pool, get(client, "trades?limit=100")["items"][60]["trade_id"])
    assert read
    assert max(read) < 3 * position.CHECKPOINT_EVERY
    assert start is not None
    assert 0 < len(events) < 3 * position.CHECKPOINT_EVERY
    assert_whole(client, pool)


def test_a_trade_that_no_read_has_folded_yet_is_found(client: FlaskClient, pool: Pool) -> None:
    for alert in course(1):
        post(client, alert)
    assert run_sql(pool.url, "SELECT count(*) FROM position_checkpoint") == [(0,)]
    assert_whole(client, pool)
    assert client.get(f"/api/automated-signals/trade/{STREAM}@20991120T143000Z").status_code == 404


def test_alerts_before_any_trade_are_counted_too(client: FlaskClient, pool: Pool) -> None:
    at = datetime(2025, 11, 3, 9, tzinfo=UTC)
    for number in range(3):
        flat = {
            "tv_instrument": "BTCUSDT",
            "action": "exit_long",
            "timestamp": (at + timedelta(hours=number)).isoformat(),
        }
        post(
            client,
            {**flat, "bot_uuid": "b", "strategy_info": {"market_position": "flat", "prev_market_position": "flat"}},
        )
    post(client, order(0, "buy", 0, 1, 100))
    stats = get(client, "stats")["stats"]
    assert (stats["total_signals"], stats["unique_trades"]) == (4, 1)
    assert get(client, "stats?symbol=NQ1!")["stats"]["total_signals"] == 1
    entered = {"tv_instrument": "BTCUSDT", "action": "enter_long", "timestamp": at.isoformat(), "bot_uuid": "b"}
    post(client, {**entered, "trigger_price": 1})
    assert get(client, "stats")["stats"]["total_signals"] == 5
    client.post("/api/automated-signals/delete-trades", json={"trade_ids": ["pos~b:BTCUSDT:-:-"]})
    assert get(client, "stats")["stats"]["total_signals"] == 1
    assert run_sql(pool.url, "SELECT sum(loose_events) FROM position_stream") == [(0,)]


def test_what_older_code_or_an_import_put_there_is_folded_whole(client: FlaskClient, pool: Pool) -> None:
    alerts = course(4)
    for alert in alerts[:-1]:
        post(client, alert)
    get(client, "stats")
    (line,) = [
        one
        for one in client.get("/api/automated-signals/export.ndjson").get_data(as_text=True).splitlines()
        if '"market_position_size": 3' in one
    ][:1]
    changed = {**jsontext.parse(line, max_depth=64), "event_type": "ENTRY", "event_key": "other", "position": None}
    client.post("/api/automated-signals/import", data=jsontext.dump(changed))
    post(client, alerts[-1])
    assert rebuild.rebuild(pool).differed == []
    listed = {one["trade_id"] for one in get(client, "trades?limit=1000")["items"]}
    assert STREAM in listed
    assert len(listed) > 10
