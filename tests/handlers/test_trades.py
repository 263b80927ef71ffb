"""Reading trades back: one, a page of them, the newest alerts, the statistics."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from settings import load
from tests.conftest import run_sql
from tests.handlers.test_signals import post, read_json, read_trade
from web_server import create_app


def alert(trade_id: str, event: str, at: str, **more: Any) -> dict[str, Any]:
    return {"schema_version": "1.0.0", "trade_id": trade_id, "event_type": event, "event_timestamp": at, **more}


def send_trade(client: FlaskClient, trade_id: str, day: str, exit_event: str | None, **more: Any) -> None:
    entry = alert(trade_id, "ENTRY", f"{day}T14:30:00Z", direction="LONG", entry_price=100, stop_loss=90, **more)
    alerts = [entry, alert(trade_id, "MFE_UPDATE", f"{day}T14:31:00Z", mfe_R="1.5")]
    if exit_event:
        alerts.append(alert(trade_id, exit_event, f"{day}T15:00:00Z", exit_price=120 if "PROFIT" in exit_event else 90))
    for body in alerts:
        assert post(client, body).status_code == 200


@pytest.fixture
def book(client: FlaskClient) -> FlaskClient:
    send_trade(client, "win", "2025-11-20", "EXIT_TAKE_PROFIT", symbol="NQ1!", strategy_id="S1")
    send_trade(client, "loss", "2025-11-21", "EXIT_STOP_LOSS", symbol="ES1!", strategy_id="S2")
    send_trade(client, "open", "2025-11-24", None, symbol="NQ1!", strategy_id="S1", session="LONDON")
    post(client, alert("seen", "SIGNAL_CREATED", "2025-11-25T14:30:00Z", direction="Bearish"))
    return client


def test_a_trade_is_rebuilt_from_its_events(book: FlaskClient) -> None:
    answer = read_trade(book, "win")
    assert answer["success"] is True
    trade = answer["trade"]
    assert (trade["status"], trade["direction"], trade["side"]) == ("COMPLETED", "Bullish", "LONG")
    assert (trade["realized_r"], trade["max_mfe"], trade["duration_seconds"]) == (2, Decimal("1.5"), 1800)
    assert [event["event_type"] for event in answer["events"]] == ["ENTRY", "MFE_UPDATE", "EXIT_TAKE_PROFIT"]
    first = answer["events"][0]
    assert (first["signal_date"], first["signal_time"], first["session"]) == ("2025-11-20", "09:30:00", "NY AM")
    assert first["body"]["stop_loss"] == 90


def test_unknown_trade(client: FlaskClient) -> None:
    response = client.get("/api/automated-signals/trade/nobody")
    assert response.status_code == 404
    assert read_json(response)["error"] == "trade_not_found"


def test_a_trade_as_it_was_and_as_it_was_known(book: FlaskClient) -> None:
    assert read_trade(book, "win", "?as_of=2025-11-20T14:31:00Z")["trade"]["status"] == "ACTIVE"
    assert read_trade(book, "win", "?as_of=2025-11-20")["trade"]["status"] == "COMPLETED"
    assert book.get("/api/automated-signals/trade/win?as_of=2025-11-19").status_code == 404
    assert book.get("/api/automated-signals/trade/win?known_at=2025-12-01").status_code == 404
    received = read_trade(book, "win")["events"][1]["received_at"]
    known = read_trade(book, "win", f"?known_at={received}")
    assert (known["trade"]["status"], known["trade"]["event_count"]) == ("ACTIVE", 2)


def ids(client: FlaskClient, query: str) -> list[str]:
    response = client.get(f"/api/automated-signals/trades?{query}")
    assert response.status_code == 200, response.get_data(as_text=True)
    return [trade["trade_id"] for trade in read_json(response)["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["seen", "open", "loss", "win"]),
        ("status=completed", ["loss", "win"]),
        ("status=ACTIVE,PENDING", ["seen", "open"]),
        ("direction=SHORT", ["seen"]),
        ("session=london", ["open"]),
        ("symbol=NQ1!", ["open", "win"]),
        ("strategy_id=S2", ["loss"]),
        ("from=2025-11-21&to=2025-11-24", ["open", "loss"]),
        ("from=2025-11-20T14:30:00Z&to=2025-11-21T14:30:00Z", ["win"]),
    ],
)
def test_filters(book: FlaskClient, query: str, expected: list[str]) -> None:
    assert ids(book, query) == expected


def test_pages_are_whole(book: FlaskClient) -> None:
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        page = read_json(book.get(f"/api/automated-signals/trades?limit=1{cursor}"))
        seen += [trade["trade_id"] for trade in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["seen", "open", "loss", "win"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=ten", "limit"),
        ("limit=1001", "limit"),
        ("status=OPEN", "status"),
        ("direction=up", "direction"),
        ("session=TOKYO", "session"),
        ("from=yesterday", "from"),
        ("to=2025-13-45", "to"),
        ("to=2025-11-20T10:00:00", "to"),
        ("from=1999-01-01", "from"),
        ("cursor=nonsense", "cursor"),
        ("cursor=MjAyNS0wMS0wMXx4", "cursor"),
    ],
)
def test_bad_parameters_are_named(client: FlaskClient, query: str, field: str) -> None:
    response = client.get(f"/api/automated-signals/trades?{query}")
    assert response.status_code == 422
    assert [detail["field"] for detail in read_json(response)["details"]] == [field]


def test_recent_alerts_newest_first(book: FlaskClient) -> None:
    items = read_json(book.get("/api/automated-signals/recent?limit=2"))["items"]
    assert [(item["trade_id"], item["event_type"]) for item in items] == [
        ("seen", "SIGNAL_CREATED"),
        ("open", "MFE_UPDATE"),
    ]


def test_stats(book: FlaskClient) -> None:
    answer = read_json(book.get("/api/automated-signals/stats"))
    assert answer["success"] is True
    assert "+00:00" in answer["timestamp"]
    expected = {
        "total_signals": 9, "unique_trades": 4, "active_count": 1, "completed_count": 2, "pending_count": 1,
        "cancelled_count": 0, "win_count": 1, "loss_count": 1, "breakeven_count": 0, "win_rate": 50,
        "avg_mfe": Decimal("1.5"), "avg_r": Decimal("0.5"), "expectancy_r": Decimal("0.5"), "profit_factor": 2,
        "max_drawdown_r": 1,
    }  # fmt: skip
    assert {name: answer["stats"][name] for name in expected} == expected
    filtered = read_json(book.get("/api/automated-signals/stats?strategy_id=S2"))["stats"]
    assert (filtered["total_signals"], filtered["loss_count"], filtered["profit_factor"]) == (3, 1, 0)


def test_stats_of_nothing_are_null(client: FlaskClient) -> None:
    stats = read_json(client.get("/api/automated-signals/stats"))["stats"]
    assert stats["total_signals"] == stats["unique_trades"] == stats["win_count"] == 0
    measured = ("win_rate", "avg_mfe", "avg_r", "expectancy_r", "profit_factor", "max_drawdown_r")
    assert {name: stats[name] for name in measured} == dict.fromkeys(measured)


def test_summaries_follow_late_alerts(book: FlaskClient) -> None:
    assert ids(book, "status=COMPLETED") == ["loss", "win"]
    post(book, alert("open", "EXIT_BREAK_EVEN", "2025-11-24T16:00:00Z"))
    assert ids(book, "status=COMPLETED") == ["open", "loss", "win"]


def test_rows_of_older_code_are_adopted(client: FlaskClient, database_url: str) -> None:
    run_sql(
        database_url,
        "INSERT INTO automated_signals (trade_id, event_type, direction, entry_price, stop_loss)"
        " VALUES ('older', 'ENTRY', 'LONG', 100, 90), ('older', 'EXIT_SL', NULL, NULL, NULL)",
    )
    assert ids(client, "") == ["older"]
    trade = read_trade(client, "older")["trade"]
    assert (trade["status"], trade["realized_r"]) == ("COMPLETED", -1)
    keys = run_sql(database_url, "SELECT count(*) FROM automated_signals WHERE event_key = 'legacy-' || id")
    assert keys == [(2,)]


@pytest.fixture
def guarded(database_url: str) -> Iterator[FlaskClient]:
    yield create_app(
        load({"DATABASE_URL": database_url, "API_KEY": "api-key-1234", "ADMIN_KEY": "admin-key-1234"})
    ).test_client()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-API-Key": "wrong"}, 401),
        ({"X-API-Key": "caf\u00e9"}, 401),
        ({"X-API-Key": "api-key-1234"}, 200),
        ({"Authorization": "Bearer api-key-1234"}, 200),
        ({"X-Admin-Key": "admin-key-1234"}, 200),
    ],
)
def test_reads_need_a_key(guarded: FlaskClient, headers: dict[str, str], status: int) -> None:
    response = guarded.get("/api/automated-signals/stats", headers=headers)
    assert response.status_code == status
