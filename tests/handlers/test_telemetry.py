"""Ingest: what is taken, what is refused and why, and that a batch counts once."""

import gzip
import json
import multiprocessing
import zlib
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from handlers.telemetry_kinds import KINDS
from settings import load
from state import jsontext
from state.telemetry.records import RecordError, read_record
from tests.conftest import run_sql
from tests.handlers.telemetry_helpers import (
    equity,
    health,
    latency,
    ndjson,
    order,
    outcome,
    read,
    send,
    signal,
    take,
)
from web_server import create_app

INGEST = "/api/v1/telemetry/ingest"
TABLES = (
    "dd_breakout_signals",
    "dd_trade_performance",
    "dd_equity_points",
    "dd_order_metrics",
    "dd_orders",
    "dd_api_latency",
    "dd_system_health",
    "dd_telemetry_batch",
)


def counts(database_url: str) -> dict[str, Any]:
    return {table: run_sql(database_url, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}  # noqa: S608


def answered(response: Any) -> Any:
    return jsontext.parse(response.get_data(as_text=True))


ALL_KINDS = [
    signal(),
    outcome(100, 101),
    equity(1000),
    order("o1", "pending", api_latency_ms=12.5),
    latency(5),
    health(),
]


def test_every_kind_is_stored(client: FlaskClient, database_url: str) -> None:
    response = send(client, ALL_KINDS, "b1")
    assert (response.status_code, answered(response)) == (200, {"accepted": 6, "rejected": [], "duplicate": False})
    expected = dict.fromkeys(TABLES, 1) | {"dd_api_latency": 2}
    assert counts(database_url) == expected


def test_a_batch_counts_once(client: FlaskClient, database_url: str) -> None:
    send(client, ALL_KINDS, "b1")
    before = counts(database_url)
    again = send(client, ALL_KINDS, "b1")
    assert answered(again) == {"accepted": 6, "rejected": [], "duplicate": True}
    # packed differently it is the same batch
    plain = client.post(INGEST, data=ndjson(ALL_KINDS), headers={"X-Batch-Id": "b1"})
    assert answered(plain)["duplicate"] is True
    assert counts(database_url) == before


def test_a_batch_id_with_other_records_is_a_conflict(client: FlaskClient, database_url: str) -> None:
    send(client, [latency(5)], "b1")
    other = send(client, [latency(6), latency(7, profile_id=2)], "b1")
    assert (other.status_code, answered(other)["code"]) == (409, "BATCH_ID_REUSED")
    assert counts(database_url)["dd_api_latency"] == 1
    assert counts(database_url)["dd_telemetry_batch"] == 1


def test_without_a_batch_id_the_body_is_its_own(client: FlaskClient, database_url: str) -> None:
    assert answered(send(client, [latency(5)]))["duplicate"] is False
    assert answered(send(client, [latency(5)]))["duplicate"] is True
    assert answered(send(client, [latency(5), latency(5)]))["duplicate"] is False
    assert counts(database_url)["dd_api_latency"] == 3


def test_bad_lines_are_named_and_keep_no_other_from_being_taken(client: FlaskClient, database_url: str) -> None:
    body = b"\n".join([ndjson([latency(5)]), b"", b"{not json", b"[]", b'"\xff"', ndjson([latency(6)]), b""])
    response = client.post(INGEST, data=body)
    answer = answered(response)
    assert (response.status_code, answer["accepted"]) == (200, 2)
    assert [line["line"] for line in answer["rejected"]] == [3, 4, 5]
    assert answer["rejected"][1]["error"] == "a record must be a JSON object"
    assert counts(database_url)["dd_api_latency"] == 2


FUTURE = (datetime.now(UTC) + timedelta(days=1)).isoformat()
REFUSED = [
    ({"kind": "gossip", "profile_id": 1}, "kind must be one of"),
    (latency(5, profile_id=-1), "profile_id must be a whole number"),
    (latency(5, profile_id=1.5), "profile_id must be a whole number"),
    (latency(5, profile_id=True), "profile_id must be a whole number"),
    (latency(5, timestamp="2026-01-05T10:00:00"), "timestamp needs an offset"),
    (latency(5, timestamp=FUTURE), "timestamp lies in the future"),
    (latency(5, timestamp="yesterday"), "timestamp must be an ISO 8601 time"),
    (latency(5, timestamp=None), "timestamp is missing"),
    (latency(5, timestamp="0001-01-01T00:00:00+23:00"), "timestamp must be an ISO 8601 time"),
    (latency(-1), "latency_ms is out of range"),
    (latency("NaN"), "latency_ms must be a number"),
    (latency(5, script_name="x" * 101), "script_name has more than 100 characters"),
    (latency(5, script_name=" "), "script_name must be text"),
    (latency(5, script_name="a\x00b"), "script_name holds a character"),
    (latency(5, latency="5"), "latency is not a field"),
    (signal(bar_strength=1.01), "bar_strength must lie from 0 to 1"),
    (signal(metadata=[1]), "metadata must be an object"),
    (signal(metadata={"a": {"b": ["\x00"]}}), "metadata holds a value"),
    (signal(metadata={"a": float("nan")}), "metadata holds a value"),
    (outcome(100, 101, quantity=0), "quantity must be more than 0"),
    (outcome(100, 101, side="up"), "side must be long or short"),
    (outcome(100, 101, multiplier=0), "multiplier must be more than 0"),
    (outcome(100, 101, entry_time=FUTURE, exit_time=FUTURE), "entry_time lies in the future"),
    (outcome(100, 101, exit_time="2020-01-01T00:00:00Z"), "exit_time lies before entry_time"),
    (outcome(100, 1e16), "exit_price is out of range"),
    (order("o1", "gone"), "status must be one of"),
    (health(status="great"), "status must be one of"),
    (health(error_count=2.5), "error_count must be a whole number"),
    (equity("ten"), "account_equity must be a number"),
]


def test_a_record_that_cannot_be_taken_says_why(client: FlaskClient) -> None:
    answer = answered(send(client, [record for record, _ in REFUSED] + [latency(5)]))
    assert answer["accepted"] == 1
    assert [line["line"] for line in answer["rejected"]] == list(range(1, len(REFUSED) + 1))
    for (record, sentence), line in zip(REFUSED, answer["rejected"], strict=True):
        assert sentence in line["error"], record


def test_numbers_come_back_exactly(client: FlaskClient) -> None:
    take(client, outcome("0.00001234", "0.1234567890123456789", quantity="3", symbol="O:SPY241220P00720000XYZ"))
    (trade,) = read(client, "trades/1")
    assert jsontext.dump([trade["entry_price"], trade["exit_price"]]) == "[0.00001234,0.1234567890123456789]"
    assert jsontext.dump(trade["pnl"]) == "0.3703333470370370367"
    assert trade["quantity"] == 3
    assert isinstance(trade["quantity"], int)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "NOT_JSON"),
        (b"\n \n", {}, 400, "NOT_JSON"),
        (b"not gzip", {"Content-Encoding": "gzip"}, 400, "NOT_GZIP"),
        (gzip.compress(b"{}" * 1000, mtime=0)[:-9], {"Content-Encoding": "gzip"}, 400, "NOT_GZIP"),
        (b"{}", {"Content-Encoding": "br"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"{}", {"X-Batch-Id": "a b"}, 422, "INVALID"),
        (b"{}\n" * 5001, {}, 422, "TOO_MANY_RECORDS"),
        (b"x" * (4 * 1024 * 1024 + 1), {}, 413, "BODY_TOO_LARGE"),
    ],
)
def test_a_batch_that_cannot_be_taken(
    client: FlaskClient, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    response = client.post(INGEST, data=body, headers=headers)
    assert (response.status_code, answered(response)["code"]) == (status, code)


def test_a_bomb_is_not_unpacked(client: FlaskClient) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b" " * 1024 * 1024) for _ in range(200)) + packer.flush()
    assert len(bomb) < 300_000
    response = client.post(INGEST, data=bomb, headers={"Content-Encoding": "gzip"})
    assert (response.status_code, answered(response)["code"]) == (413, "BODY_TOO_LARGE")


def test_gzip_of_several_members(client: FlaskClient) -> None:
    body = gzip.compress(ndjson([latency(5)]) + b"\n") + gzip.compress(ndjson([latency(6)]))
    response = client.post(INGEST, data=body, headers={"Content-Encoding": "gzip"})
    assert answered(response)["accepted"] == 2


def _send_from_a_process(url: str, batch_id: str, records: list[dict[str, Any]]) -> tuple[int, bool]:
    client = create_app(load({"DATABASE_URL": url})).test_client()
    answer = answered(send(client, records, batch_id))
    return answer["accepted"], answer["duplicate"]


def _for_profiles(*profiles: int) -> list[dict[str, Any]]:
    return [
        record
        for profile in profiles
        for record in (latency(5, profile_id=profile), order("same", "filled", profile_id=profile))
    ]


def test_a_batch_that_several_processes_deliver_counts_once(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    # the profiles of different batches come in different orders: nobody may deadlock
    batches = [_for_profiles(1, 2, 3), _for_profiles(3, 1, 2)]
    with ProcessPoolExecutor(3, mp_context=spawn) as processes:
        jobs = [processes.submit(_send_from_a_process, database_url, f"b{n % 10}", batches[n % 2]) for n in range(40)]
        answers = [job.result() for job in jobs]
    assert [accepted for accepted, _ in answers] == [6] * 40
    assert sum(not duplicate for _, duplicate in answers) == 10
    assert counts(database_url) == dict.fromkeys(TABLES, 0) | {
        "dd_api_latency": 30,
        "dd_order_metrics": 30,
        "dd_orders": 3,
        "dd_telemetry_batch": 30,
    }


def test_ingest_needs_the_key(database_url: str) -> None:
    client = create_app(load({"DATABASE_URL": database_url, "API_KEY": "api-key-12345"})).test_client()
    assert send(client, [latency(5)]).status_code == 401
    response = client.post(INGEST, data=ndjson([latency(5)]), headers={"X-API-Key": "api-key-12345"})
    assert answered(response)["accepted"] == 1


def test_nothing_stored_is_a_503(database_url: str) -> None:
    gone = database_url.rsplit("/", 1)[0] + "/nowhere"
    client = create_app(load({"DATABASE_URL": gone})).test_client()
    response = send(client, [latency(5)])
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert client.get("/api/v1/metrics/breakout/1").status_code == 503


FULL = {
    "breakout_signal": signal(metadata={"a": 1}),
    "breakout_outcome": outcome(
        100, "101.5", bar_strength=0.5, direction="up", signal_price=99.5, side="short", multiplier=2,
        exit_reason="target", metadata={},
    ),
    "equity": equity(1000, metadata={}),
    "order": order(
        "o1", "filled", limit_price=1, filled_price=1, filled_quantity=5, slippage=0, api_latency_ms=1,
        script_name="s", metadata={},
    ),
    "latency": latency(5),
    "health": health(
        api_latency_avg_ms=1, api_rate_limit_remaining=1, api_rate_limit_limit=2, error_count=0, warning_count=0,
        metadata={},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_description_of_a_kind_says_what_is_taken(kind: str) -> None:
    told, record = KINDS[kind], jsontext.parse(ndjson([FULL[kind]]).decode())
    now = datetime.now(UTC)
    assert told["properties"].keys() == record.keys()
    assert read_record(record, now=now).kind == kind
    for name in record:
        less = {field: value for field, value in record.items() if field != name}
        if name in told["required"]:
            with pytest.raises(RecordError):
                read_record(less, now=now)
        else:
            assert read_record(less, now=now).kind == kind
    with pytest.raises(RecordError, match="is not a field"):
        read_record({**record, "other": 1}, now=now)


def test_the_description_shows_the_kinds_and_an_example_that_is_taken(client: FlaskClient) -> None:
    told = json.loads(client.get("/openapi.json").get_data())
    operation = told["paths"]["/api/v1/telemetry/ingest"]["post"]
    body = operation["requestBody"]["content"]["application/x-ndjson"]
    assert {one["title"] for one in body["schema"]["oneOf"]} == KINDS.keys()
    assert (client.post("/api/v1/telemetry/ingest", data=body["example"]).json or {})["accepted"] == 2
    assert "schema" in operation["responses"]["200"]["content"]["application/json"]
    assert "X-Batch-Id" in [parameter["name"] for parameter in operation["parameters"]]
