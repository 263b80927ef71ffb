"""Deleting, purging and restoring: recorded, idempotent, exact."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient

from state.jsontext import dump
from tests.conftest import run_sql
from tests.handlers.test_reads import BASE, book, follow, get, order
from tests.handlers.test_signals import post, read_json
from tests.handlers.test_trades import alert

__all__ = ["book"]

ROWS = "SELECT to_jsonb(s.*)::text FROM automated_signals AS s ORDER BY s.trade_id, s.id"


def send(client: FlaskClient, path: str, status: int = 200, **body: Any) -> Any:
    response = client.post(f"{BASE}/{path}", data=dump(body), content_type="application/json")
    assert response.status_code == status, response.get_data(as_text=True)
    return read_json(response)


def test_deleted_trades_are_gone_everywhere_and_come_back_exactly(book: FlaskClient, database_url: str) -> None:
    before, trades = run_sql(database_url, ROWS), get(book, "trades?limit=1000")
    answer = send(book, "delete-trades", trade_ids=["t3", "twice", "nobody", "t3"], actor="ann", reason="test data")
    assert (answer["deleted"], answer["trade_ids"]) == (5, ["t3", "twice"])
    for path in ("trade/t3", "trade/twice"):
        assert book.get(f"{BASE}/{path}").status_code == 404
    assert get(book, "stats")["stats"]["unique_trades"] == len(trades["items"]) - 2
    assert not {"t3", "twice"} & {item["trade_id"] for item in follow(book)}
    (record,) = get(book, "deletions")["items"]
    assert {name: record[name] for name in ("kind", "actor", "reason", "trade_count", "event_count", "restorable")} == {
        "kind": "delete", "actor": "ann", "reason": "test data", "trade_count": 2, "event_count": 5, "restorable": 5,
    }  # fmt: skip
    back = send(book, "restore-trades", trade_ids=["t3"], actor="bob")
    assert (back["restored"], back["trade_ids"]) == (3, ["t3"])
    assert send(book, "restore-trades", deletion_id=answer["deletion_id"])["restored"] == 2
    assert run_sql(database_url, ROWS) == before
    assert get(book, "trades?limit=1000") == trades
    assert [item["trade_id"] for item in follow(book)].count("t3") == 3
    assert send(book, "restore-trades", deletion_id=answer["deletion_id"])["restored"] == 0
    assert send(book, "delete-trades", trade_ids=["nobody"])["deleted"] == 0


def test_bulk_delete_answers_in_counts(book: FlaskClient) -> None:
    answer = send(book, "bulk-delete", trade_ids=["t3", "t4"])
    assert (answer["deleted_count"], answer["trade_count"]) == (6, 2)


def test_an_alert_that_came_again_meanwhile_is_not_doubled(client: FlaskClient) -> None:
    body = alert("t", "ENTRY", "2025-11-20T14:30:00Z", entry_price=1)
    post(client, body)
    send(client, "delete-trades", trade_ids=["t"])
    assert "duplicate" not in read_json(post(client, body))
    back = send(client, "restore-trades", trade_ids=["t"])
    assert (back["restored"], back["trade_ids"]) == (0, ["t"])
    assert get(client, "trade/t")["trade"]["event_count"] == 1


def test_a_timeless_alert_after_its_deletion_is_no_repeat(client: FlaskClient) -> None:
    post(client, {"type": "ENTRY", "signal_id": "t"})
    send(client, "delete-trades", trade_ids=["t"])
    assert "duplicate" not in read_json(post(client, {"type": "ENTRY", "signal_id": "t"}))


def test_ghosts_are_purged_and_can_be_put_back(client: FlaskClient, database_url: str) -> None:
    run_sql(
        database_url,
        "INSERT INTO automated_signals (trade_id, event_type, original_trade_id) VALUES"
        " ('2,025_1', 'ENTRY', NULL), ('legacy-null-7', 'ENTRY', '(null)'), ('fine', 'ENTRY', NULL)",
    )
    answer = send(client, "purge-ghosts", actor="ann")
    assert (answer["success"], answer["deleted"], answer["trade_ids"]) == (True, 2, ["2,025_1", "legacy-null-7"])
    assert "comma" in answer["criteria"]
    assert [trade["trade_id"] for trade in get(client, "trades")["items"]] == ["fine"]
    assert send(client, "purge-ghosts")["deleted"] == 0
    assert send(client, "restore-trades", deletion_id=answer["deletion_id"])["restored"] == 2


def test_a_derived_trade_goes_with_its_stream(client: FlaskClient) -> None:
    post(client, order(0, "buy", 0, 1, 1))
    (trade,) = get(client, "trades")["items"]
    refused = send(client, "delete-trades", 422, trade_ids=["x", trade["trade_id"]])
    assert (refused["code"], refused["details"][0]["field"]) == ("DERIVED_TRADE", "trade_ids[1]")
    assert send(client, "delete-trades", trade_ids=[trade["stream_id"]])["deleted"] == 1
    assert get(client, "trades")["items"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("delete-trades", {}), ("delete-trades", {"trade_ids": []}), ("delete-trades", {"trade_ids": [""]}),
        ("delete-trades", {"trade_ids": "t"}), ("delete-trades", {"trade_ids": ["t"], "trades": 1}),
        ("bulk-delete", {"trade_ids": None}), ("restore-trades", {}), ("restore-trades", {"deletion_id": "x"}),
        ("restore-trades", {"deletion_id": 0}), ("purge-ghosts", {"actor": ""}), ("purge-ghosts", {"force": True}),
    ],
)  # fmt: skip
def test_bad_bodies_are_named(client: FlaskClient, path: str, body: dict[str, Any]) -> None:
    assert send(client, path, 422, **body)["details"]


def test_two_restores_at_once_put_everything_back_once(book: FlaskClient, database_url: str) -> None:
    before = run_sql(database_url, ROWS)
    gone = send(book, "delete-trades", trade_ids=[f"t{day}" for day in range(3, 29)])
    app = book.application
    with ThreadPoolExecutor(4) as threads:
        tries = [
            threads.submit(send, app.test_client(), "restore-trades", deletion_id=gone["deletion_id"]) for _ in range(4)
        ]
        restored = [one.result()["restored"] for one in tries]
    assert sorted(restored) == [0, 0, 0, gone["deleted"]]
    assert run_sql(database_url, ROWS) == before
