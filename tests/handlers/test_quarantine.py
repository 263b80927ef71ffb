"""Alerts that could not become events: kept, shown, replayed once, discarded."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from settings import load
from state import jsontext
from tests.conftest import run_sql
from tests.handlers.test_access import KEYS
from web_server import create_app

SECRET = KEYS["WEBHOOK_SECRET"]
WEBHOOK = f"/api/automated-signals/webhook/{SECRET}"
ADMIN = {"X-Admin-Key": KEYS["ADMIN_KEY"]}
GOOD = {"type": "ENTRY", "signal_id": "q", "entry_price": 1}
BAD = {"type": "ENTRY", "entry_price": 1}
AWAY = "postgresql://nobody@127.0.0.1:1/none"


def app_with(url: str, folder: object, **environment: str) -> Flask:
    return create_app(load({"DATABASE_URL": url, "ALERTBOOK_DATA_DIR": str(folder), **KEYS, **environment}))


@pytest.fixture
def app(database_url: str, tmp_path: object) -> Iterator[Flask]:
    made = app_with(database_url, tmp_path)
    yield made
    made.extensions["alertbook"].close()


def post(client: FlaskClient, body: Any) -> Any:
    return client.post(WEBHOOK, data=body if isinstance(body, bytes) else jsontext.dump(body))


def keep(client: FlaskClient, body: Any) -> int:
    """Send what cannot become an event; the id under which it is kept."""
    response = post(client, body)
    assert response.status_code in (400, 422)
    row_id: int = response.get_json()["quarantine_id"]
    assert isinstance(row_id, int)
    return row_id


def act(client: FlaskClient, path: str, body: Any = None) -> Any:
    return client.post(f"/api/v1/quarantine/{path}", headers=ADMIN, data=jsontext.dump(body or {}))


def shown(client: FlaskClient, row_id: int) -> Any:
    return client.get(f"/api/v1/quarantine/{row_id}", headers=ADMIN).get_json()


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"not json", 400, "NOT_JSON"),
        (b"\xff\xfe{\x00}\x00", 400, "NOT_JSON"),
        (b"[1]", 400, "NOT_JSON"),
        (b'{"a":1,"a":2}', 422, "JSON_LIMIT"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, 422, "JSON_LIMIT"),
        (jsontext.dump({str(n): n for n in range(2001)}).encode(), 422, "JSON_LIMIT"),
        (b'{"hello":"world"}', 422, "UNRECOGNISED_PAYLOAD"),
        (b'{"schema_version":"9.0.0"}', 422, "UNSUPPORTED_SCHEMA_VERSION"),
        (jsontext.dump(BAD).encode(), 422, "INVALID_PAYLOAD"),
        (b'{"type":"ENTRY","signal_id":"a\\u0000b","entry_price":1}', 422, "INVALID_PAYLOAD"),
        (b'{"type":"ENTRY","signal_id":"a","entry_price":1e999}', 422, "JSON_LIMIT"),
    ],
)
def test_what_cannot_become_an_event_is_kept_as_it_came(app: Flask, body: bytes, status: int, reason: str) -> None:
    client = app.test_client()
    response = post(client, body)
    answer = response.get_json()
    assert (response.status_code, answer["success"], answer["ok"]) == (status, False, False)
    assert set(answer) == {"success", "ok", "error", "code", "details", "request_id", "quarantine_id"}
    item = shown(client, answer["quarantine_id"])
    assert base64.b64decode(item["raw_base64"]) == body
    assert item["size"] == len(body)
    assert (item["reason"], item["state"]) == (answer["code"], "waiting")
    assert item["details"] == answer["details"]
    assert item["peer"] == "127.0.0.1"
    assert item["parser_version"]
    if reason != "INVALID_PAYLOAD":
        assert item["reason"] == reason


def test_empty_bodies_are_not_worth_keeping(app: Flask, database_url: str) -> None:
    response = post(app.test_client(), b"  ")
    assert (response.status_code, response.get_json()["quarantine_id"]) == (400, None)
    assert run_sql(database_url, "SELECT count(*) FROM quarantine") == [(0,)]


def test_a_corrected_body_becomes_an_event_with_its_first_time(app: Flask, database_url: str) -> None:
    client = app.test_client()
    row_id = keep(client, BAD)
    failed = act(client, f"{row_id}/replay")
    assert (failed.status_code, failed.get_json()["quarantine_id"]) == (422, None)
    item = shown(client, row_id)
    assert (item["state"], item["result"]["success"], item["result"]["code"]) == (
        "waiting",
        False,
        failed.get_json()["code"],
    )
    replayed = act(client, f"{row_id}/replay", {"body": GOOD})
    assert replayed.status_code == 200
    answer = replayed.get_json()
    assert (answer["success"], answer["quarantine_id"], answer["trade_id"]) == (True, row_id, "q")
    item = shown(client, row_id)
    assert (item["state"], item["result"]["event_id"]) == ("replayed", answer["event_id"])
    ((stored, kept),) = run_sql(
        database_url, "SELECT s.received_at, q.received_at FROM automated_signals AS s CROSS JOIN quarantine AS q"
    )
    assert stored == kept
    assert run_sql(database_url, "SELECT kind, quarantine_id FROM receipt") == [("replay", row_id)]
    again = act(client, f"{row_id}/replay", {"body": GOOD})
    assert (again.status_code, again.get_json()["code"]) == (409, "NOT_WAITING")


@pytest.mark.parametrize(
    ("edited", "status"),
    [
        (jsontext.dump(GOOD), 200),
        ("no json", 400),
        (["a list"], 400),
        ({**GOOD, "note": SECRET}, 200),
        ({**GOOD, "secret": SECRET}, 200),
        ({**GOOD, "note": "\ud800\x00"}, 200),
        ({"schema_version": "9"}, 422),
        (5, 400),
    ],
)
def test_edited_bodies(app: Flask, database_url: str, edited: Any, status: int) -> None:
    client = app.test_client()
    row_id = keep(client, BAD)
    body = jsontext.dump({"body": edited}, ascii_only=True)
    response = client.post(f"/api/v1/quarantine/{row_id}/replay", headers=ADMIN, data=body)
    assert response.status_code == status, response.get_json()
    assert SECRET not in str(run_sql(database_url, "SELECT s::text FROM automated_signals AS s"))
    assert SECRET not in str(run_sql(database_url, "SELECT q::text, convert_from(q.raw, 'UTF8') FROM quarantine AS q"))


def test_an_edited_body_with_nan_is_refused(app: Flask) -> None:
    client = app.test_client()
    row_id = keep(client, BAD)
    response = client.post(f"/api/v1/quarantine/{row_id}/replay", headers=ADMIN, data='{"body": {"a": NaN}}')
    assert (response.status_code, response.get_json()["details"][0]["field"]) == (422, "body")


def test_two_operators_at_once_replay_it_once(app: Flask, database_url: str) -> None:
    row_id = keep(app.test_client(), BAD)
    bodies = [{"body": {**GOOD, "signal_id": f"q{n}"}} for n in range(4)]
    with ThreadPoolExecutor(4) as operators:
        statuses = list(operators.map(lambda b: act(app.test_client(), f"{row_id}/replay", b).status_code, bodies))
    assert sorted(statuses) == [200, 409, 409, 409]
    assert run_sql(database_url, "SELECT count(*) FROM automated_signals") == [(1,)]


def test_a_batch_with_a_bad_item_is_kept_once(app: Flask, database_url: str) -> None:
    items = [{"trade_id": "a", "mfe_R": 1}, {"mfe_R": 1}, {"trade_id": "b", "mfe_R": "x"}]
    response = post(app.test_client(), {"event_type": "MFE_UPDATE_BATCH", "signals": items})
    answer = response.get_json()
    assert (response.status_code, answer["succeeded"], answer["failed"]) == (200, 1, 2)
    ids = {result.get("quarantine_id") for result in answer["results"]}
    assert len(ids - {None}) == 1
    assert run_sql(database_url, "SELECT count(*) FROM quarantine") == [(1,)]
    assert act(app.test_client(), f"{max(ids - {None})}/replay").get_json()["succeeded"] == 1


def test_discard_needs_a_reason_and_happens_once(app: Flask) -> None:
    client = app.test_client()
    row_id = keep(client, BAD)
    assert act(client, f"{row_id}/discard").status_code == 422
    assert act(client, f"{row_id}/discard", {"reason": "a test of mine"}).status_code == 200
    item = shown(client, row_id)
    assert (item["state"], item["note"]) == ("discarded", "a test of mine")
    assert item["resolved_at"]
    for path in ("discard", "replay"):
        assert act(client, f"{row_id}/{path}", {"reason": "x"} if path == "discard" else {}).status_code == 409


@pytest.mark.parametrize("row_id", ["0", "12345", "9223372036854775807", "99999999999999999999999"])
def test_what_is_not_there(app: Flask, row_id: str) -> None:
    client = app.test_client()
    assert client.get(f"/api/v1/quarantine/{row_id}", headers=ADMIN).status_code == 404
    assert act(client, f"{row_id}/replay").status_code == 404
    assert act(client, f"{row_id}/discard", {"reason": "x"}).status_code == 404


def test_lists_are_filtered_and_paged(app: Flask) -> None:
    client = app.test_client()
    for body in (BAD, b"one", b"two", {"hello": 1}):
        keep(client, body)

    def listed(query: str) -> Any:
        return client.get(f"/api/v1/quarantine?{query}", headers=ADMIN).get_json()

    first = listed("limit=3")
    second = listed(f"limit=3&cursor={first['next_cursor']}")
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == sorted(ids, reverse=True)
    assert (len(ids), second["next_cursor"]) == (4, None)
    assert all("raw" not in item for item in first["items"])
    assert len(listed("reason=NOT_JSON")["items"]) == 2
    assert [item["payload_version"] for item in listed("version=strategy")["items"]] == ["strategy"]
    assert len(listed("state=waiting&from=2020-01-01&to=2099-01-01")["items"]) == 4
    assert listed("state=discarded")["items"] == listed("from=2099-01-01")["items"] == []
    assert client.get("/api/v1/quarantine?state=nowhere", headers=ADMIN).status_code == 422
    assert client.get("/api/v1/quarantine?cursor=zzz", headers=ADMIN).status_code == 422


def test_bulk_replay_by_reason(app: Flask, database_url: str) -> None:
    client = app.test_client()
    rows = [keep(client, b"broken") for _ in range(3)]
    # what a newer version of the product would make of one of them
    run_sql(
        database_url,
        'UPDATE quarantine SET raw = convert_to(\'{"type":"ENTRY","signal_id":"q","entry_price":1}\', \'UTF8\')'
        " WHERE id = (SELECT min(id) + 1 FROM quarantine)",
    )
    answer = act(client, "replay", {"reason": "NOT_JSON"}).get_json()
    assert (answer["replayed"], answer["failed"]) == (1, 2)
    assert [result["quarantine_id"] for result in answer["results"]] == rows
    assert [result["success"] for result in answer["results"]] == [False, True, False]
    assert len(act(client, "replay", {"reason": "NOT_JSON", "limit": 1}).get_json()["results"]) == 1
    assert act(client, "replay", {"reason": "OTHER"}).get_json()["results"] == []
    assert act(client, "replay").status_code == 422


def test_each_peer_and_all_together_have_a_cap(database_url: str, tmp_path: object) -> None:
    app = app_with(database_url, tmp_path, QUARANTINE_MAX_PER_PEER="2", QUARANTINE_MAX_TOTAL="3")
    client = app.test_client()

    def kept(address: str) -> bool:
        response = client.post(WEBHOOK, data=b"x", environ_base={"REMOTE_ADDR": address})
        assert response.status_code == 400
        return response.get_json()["quarantine_id"] is not None

    assert [kept("203.0.113.1") for _ in range(3)] == [True, True, False]
    assert [kept("203.0.113.2") for _ in range(2)] == [True, False]
    app.extensions["alertbook"].close()
    assert run_sql(database_url, "SELECT code, count(*) FROM receipt GROUP BY 1") == [("QUARANTINE_FULL", 2)]


def test_while_the_database_is_away_it_waits_in_the_spool(database_url: str, tmp_path: object) -> None:
    away = app_with(AWAY, tmp_path)
    response = post(away.test_client(), b"not json")
    assert (response.status_code, response.get_json()["quarantine_id"]) == (400, None)
    back = app_with(database_url, tmp_path)
    back.extensions["alertbook"].caretaker.round()
    assert run_sql(database_url, "SELECT reason, convert_from(raw, 'UTF8') FROM quarantine") == [
        ("NOT_JSON", "not json")
    ]
    back.extensions["alertbook"].close()


def test_with_nowhere_to_keep_it_the_sender_is_told_to_come_again(tmp_path: object) -> None:
    away = app_with(AWAY, tmp_path, SPOOL_DIR="off")
    for body in (b"not json", jsontext.dump(BAD).encode(), jsontext.dump(GOOD).encode()):
        response = post(away.test_client(), body)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert response.get_json()["code"] == "SPOOL_UNAVAILABLE"


def test_a_key_that_is_the_secret_is_not_echoed(app: Flask) -> None:
    response = post(app.test_client(), f'{{"{SECRET}":1,"{SECRET}":2}}'.encode())
    assert response.status_code == 422
    assert SECRET not in response.get_data(as_text=True)
    item = shown(app.test_client(), response.get_json()["quarantine_id"])
    assert SECRET not in jsontext.dump(item)
