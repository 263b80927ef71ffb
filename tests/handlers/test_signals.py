"""The webhook from outside: what is sent, what is answered, what is stored."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from errors import SettingsError
from settings import load
from state import jsontext
from tests.conftest import run_sql
from web_server import create_app

ROOT = Path(__file__).parents[2]
WEBHOOK = "/api/automated-signals/webhook"
ENTRY = {"type": "ENTRY", "signal_id": "test123", "entry_price": 20500}


def post(client: FlaskClient, body: Any, path: str = WEBHOOK, **kwargs: Any) -> Any:
    data = body if isinstance(body, str | bytes) else jsontext.dump(body)
    return client.post(path, data=data, content_type=kwargs.pop("content_type", "text/plain"), **kwargs)


def read_json(response: Any) -> Any:
    return jsontext.parse(response.get_data(as_text=True), max_keys=100_000)


def telemetry(**changes: Any) -> dict[str, Any]:
    sample: dict[str, Any] = jsontext.parse((ROOT / "test_telemetry_payload.json").read_text())
    return {**sample, **changes}


def test_telemetry_answer(client: FlaskClient) -> None:
    response = post(client, telemetry(), content_type="application/json")
    assert response.status_code == 200
    answer = read_json(response)
    assert (
        answer.items()
        >= {
            "success": True,
            "message": "Telemetry event ENTRY processed",
            "trade_id": "20251120_143000000_BULLISH",
            "event_type": "ENTRY",
            "schema_version": "1.0.0",
        }.items()
    )
    assert isinstance(answer["event_id"], int)


@pytest.mark.parametrize("path", [WEBHOOK, "/api/automated-signals"])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_legacy_answer_whatever_the_content_type(client: FlaskClient, path: str, content_type: str) -> None:
    response = post(client, ENTRY, path, content_type=content_type)
    assert response.status_code == 200
    answer = read_json(response)
    assert answer["message"] == "Legacy payload processed (existing handler)"
    assert (answer["trade_id"], answer["event_type"], answer["payload_version"]) == ("test123", "ENTRY", "strategy")


def test_byte_order_mark_is_taken(client: FlaskClient) -> None:
    assert post(client, b"\xef\xbb\xbf" + json.dumps(ENTRY).encode()).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"not json",
        b"[1]",
        b'"text"',
        b"12",
        b"null",
        b"\xff\xfe{\x00",
        '{"type":"ENTRY"}'.encode("utf-16"),
        b"{",
    ],
)
def test_not_a_json_object(client: FlaskClient, body: bytes) -> None:
    response = post(client, body)
    assert response.status_code == 400
    answer = read_json(response)
    assert answer["error"].startswith("No JSON payload")
    assert answer["success"] is False
    assert answer["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "body", [b"[" * 60000, b'{"a":' * 10000, b'{"a":1,"a":2}', b'{"a":1e99999}', b'{"a":' + b"9" * 5000 + b"}"]
)
def test_hostile_json_is_refused_in_words(client: FlaskClient, body: bytes) -> None:
    assert post(client, body).status_code in (400, 422)


def test_wrong_fields_are_named(client: FlaskClient) -> None:
    response = post(client, telemetry(entry_price="abc", stop_loss=-1, trade_id="1,234"))
    assert response.status_code == 422
    assert {detail["field"] for detail in read_json(response)["details"]} == {"entry_price", "stop_loss", "trade_id"}


def test_unknown_schema_is_refused(client: FlaskClient) -> None:
    response = post(client, telemetry(schema_version="2.0.0"))
    assert (response.status_code, read_json(response)["code"]) == (422, "UNSUPPORTED_SCHEMA_VERSION")


def test_the_same_alert_twice_is_stored_once(client: FlaskClient) -> None:
    first, second = (read_json(post(client, telemetry())) for _ in range(2))
    assert "duplicate" not in first
    assert second["duplicate"] is True
    assert second["event_id"] == first["event_id"]
    assert len(read_trade(client, first["trade_id"])["events"]) == 1


def test_a_timeless_alert_repeats_within_its_window(client: FlaskClient) -> None:
    first, second = (read_json(post(client, ENTRY)) for _ in range(2))
    assert second["duplicate"] is True
    assert second["event_id"] == first["event_id"]


def test_batch_answers_each_item(client: FlaskClient) -> None:
    batch = {
        "event_type": "MFE_UPDATE_BATCH",
        "timestamp": "2025-11-20T14:31:00Z",
        "signals": [{"trade_id": "a1", "mfe_R": 0.5}, {"mfe_R": 1}, {"trade_id": "a2", "mfe_R": 0}],
    }
    answer = read_json(post(client, batch))
    assert (answer["batch_processed"], answer["succeeded"], answer["failed"]) == (3, 2, 1)
    assert [result["success"] for result in answer["results"]] == [True, False, True]
    assert answer["results"][1]["details"]
    assert read_trade(client, "a2")["events"][0]["mfe"] == 0


def read_trade(client: FlaskClient, trade_id: str, query: str = "") -> Any:
    response = client.get(f"/api/automated-signals/trade/{trade_id}{query}")
    assert response.status_code == 200, response.get_data(as_text=True)
    return read_json(response)


@pytest.mark.parametrize("price", ["0.00001234", "1.08345", "0.1234567890123456789", "20500.10"])
def test_numbers_survive_the_round_trip(client: FlaskClient, price: str) -> None:
    body = f'{{"schema_version":"1.0.0","trade_id":"t-{price}","event_type":"ENTRY","entry_price":{price}}}'
    assert post(client, body).status_code == 200
    trade = read_trade(client, f"t-{price}")
    assert trade["trade"]["entry_price"] == Decimal(price)
    assert str(trade["trade"]["entry_price"]) == price
    assert trade["events"][0]["body"]["entry_price"] == Decimal(price)


def test_each_column_holds_its_value(client: FlaskClient, database_url: str) -> None:
    post(client, telemetry(mae_R="-0.25", mfe_R=0, symbol="NQ1!", timeframe="1", strategy_id="S1", position_size=2))
    columns = "direction, entry_price, stop_loss, risk_distance, mfe, mae, symbol, strategy_id, contracts, session"
    (row,) = run_sql(database_url, f"SELECT {columns}, signal_date::text, signal_time::text FROM automated_signals")  # noqa: S608
    assert row == (
        "Bullish", Decimal("20500.25"), Decimal("20475.00"), Decimal("25.25"), 0, Decimal("-0.25"), "NQ1!", "S1", 2,
        "NY AM", "2025-11-20", "09:30:00",
    )  # fmt: skip
    (bodies,) = run_sql(database_url, "SELECT telemetry->>'schema_version', legacy_payload FROM automated_signals")
    assert bodies == ("1.0.0", None)


def test_legacy_body_is_kept_whole(client: FlaskClient, database_url: str) -> None:
    post(client, {**ENTRY, "unknown": {"deep": [1, 2]}})
    (bodies,) = run_sql(database_url, "SELECT telemetry, legacy_payload FROM automated_signals")
    assert bodies == (None, {**ENTRY, "unknown": {"deep": [1, 2]}})


SECRET = "correct-horse-battery"


@pytest.fixture
def guarded(database_url: str) -> Iterator[FlaskClient]:
    keys = {"WEBHOOK_SECRET": f"{SECRET},second-right-secret", "API_KEY": "api-key-1234", "ADMIN_KEY": "admin-key-1234"}
    yield create_app(load({"DATABASE_URL": database_url, **keys})).test_client()


@pytest.mark.parametrize("secret", [SECRET, "second-right-secret"])
def test_secret_in_path_or_body(guarded: FlaskClient, secret: str) -> None:
    assert post(guarded, ENTRY, f"{WEBHOOK}/{secret}").status_code == 200
    assert post(guarded, ENTRY, f"/api/automated-signals/{secret}").status_code == 200
    assert post(guarded, {**ENTRY, "secret": secret}).status_code == 200


@pytest.mark.parametrize("secret", ["q3t/Zk+8w==", "q3t//Zk8w/"])
def test_a_secret_with_slashes_stands_in_the_path_as_it_is_or_escaped(database_url: str, secret: str) -> None:
    client = create_app(load({"DATABASE_URL": database_url, "WEBHOOK_SECRET": secret})).test_client()
    for path in (secret, quote(secret, safe="")):
        assert post(client, ENTRY, f"{WEBHOOK}/{path}").status_code == 200
        assert post(client, ENTRY, f"{WEBHOOK}/x{path}").status_code == 401
    assert post(client, {**ENTRY, "secret": secret}).status_code == 200


def test_a_secret_that_no_address_can_end_in_is_refused() -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_SECRET"):
        load({"WEBHOOK_SECRET": "right-secret,/leading-slash"})


@pytest.mark.parametrize("body", [ENTRY, {**ENTRY, "secret": "wrong"}, {**ENTRY, "secret": 5}, "not json", ""])
@pytest.mark.parametrize("path", [WEBHOOK, f"{WEBHOOK}/wrong-secret", f"{WEBHOOK}/gr%C3%BC%C3%9Fe"])
def test_without_the_secret_nothing_is_read(guarded: FlaskClient, path: str, body: Any, database_url: str) -> None:
    response = post(guarded, body, path, headers={"X-Admin-Key": "admin-key-1234"})
    assert (response.status_code, read_json(response)["code"]) == (401, "UNAUTHENTICATED")
    assert run_sql(database_url, "SELECT count(*) FROM automated_signals") == [(0,)]


def test_the_secret_is_not_stored(guarded: FlaskClient, database_url: str) -> None:
    post(guarded, {**ENTRY, "secret": SECRET})
    (row,) = run_sql(database_url, "SELECT s::text FROM automated_signals AS s")
    assert SECRET not in str(row)


def test_too_large_is_refused_declared_or_not(client: FlaskClient) -> None:
    body = json.dumps({**ENTRY, "note": "x" * 70_000})
    response = post(client, body)
    assert (response.status_code, read_json(response)["code"]) == (413, "BODY_TOO_LARGE")
