"""The numbers of intake: every delivery is counted as what it was."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from database.receipts import Delivery, refusal
from database.spool import Spool
from settings import load
from tests.conftest import run_sql
from web_server import create_app

WEBHOOK = "/api/automated-signals/webhook"
AWAY = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def app(app: Flask) -> Iterator[Flask]:
    yield app
    app.extensions["alertbook"].close()


def alert(trade_id: str, **fields: Any) -> dict[str, Any]:
    return {"type": "ENTRY", "signal_id": trade_id, "entry_price": 1, "strategy_id": "breakout", **fields}


def intake(client: FlaskClient, query: str = "") -> Any:
    response = client.get(f"/api/v1/intake{query}")
    assert response.status_code == 200
    return response.get_json()


def test_nothing_yet(client: FlaskClient) -> None:
    numbers = intake(client)
    assert numbers["hours"] == []
    assert set(numbers["totals"].values()) == {0}
    assert numbers["latency_ms"]["receipt_to_commit"] == {"p50": None, "p95": None, "p99": None, "n": 0}
    assert numbers["spool"] == {"state": "on", "depth": 0, "oldest": None}
    assert (numbers["quarantine"], numbers["last_alerts"]) == ({"waiting": 0, "oldest": None}, [])


REFUSED = [("refused", 413, "BODY_TOO_LARGE"), ("refused", 415, "UNSUPPORTED_MEDIA_TYPE"), ("refused", 400, "NOT_JSON")]


def refuse_three(client: FlaskClient) -> None:
    """A body too large, one compressed, and none at all."""
    assert client.post(WEBHOOK, data=b"x" * 100_000).status_code == 413
    assert client.post(WEBHOOK, data=b"{}", headers={"Content-Encoding": "gzip"}).status_code == 415
    assert client.post(WEBHOOK, data=b" ").status_code == 400


def test_a_refusal_has_its_row_before_its_answer(client: FlaskClient, database_url: str) -> None:
    refuse_three(client)
    assert run_sql(database_url, "SELECT kind, status, code FROM receipt ORDER BY received_at") == REFUSED


def test_refusals_while_the_database_is_away_are_on_the_disk(tmp_path: Path, database_url: str) -> None:
    folders = {"ALERTBOOK_DATA_DIR": str(tmp_path)}
    refuse_three(create_app(load({"DATABASE_URL": AWAY, **folders})).test_client())
    assert intake_spool(tmp_path) == 3  # and the process that took them is forgotten here
    again = create_app(load({"DATABASE_URL": database_url, **folders})).extensions["alertbook"]
    again.caretaker.round()
    again.close()
    assert run_sql(database_url, "SELECT kind, status, code FROM receipt ORDER BY received_at") == REFUSED


def intake_spool(folder: Path) -> int:
    """How much waits in a folder's spool."""
    return Spool(folder / "spool", max_mb=8, max_age=timedelta(days=1)).depth().count


def test_every_kind_is_counted(client: FlaskClient, app: Flask) -> None:
    now = datetime.now(UTC)
    for body in (alert("a"), alert("a"), alert("b", timestamp=int(now.timestamp() * 1000) - 2000)):
        assert client.post(WEBHOOK, json=body).status_code == 200
    kept = client.post(WEBHOOK, data=b"broken").get_json()["quarantine_id"]
    client.post(f"/api/v1/quarantine/{kept}/replay", json={"body": alert("c")})
    tally = app.extensions["alertbook"].tally
    tally.refused(refusal(Delivery(now, "203.0.113.1"), body_hash="h", status=413, code="BODY_TOO_LARGE"))
    tally.count("unauthenticated", now)
    app.extensions["alertbook"].caretaker.round()
    numbers = intake(client, "?hours=1")
    totals = {kind: count for kind, count in numbers["totals"].items() if count}
    assert totals == {"first": 3, "repeat": 1, "replay": 1, "quarantined": 1, "refused": 1, "unauthenticated": 1}
    assert sum(hour["first"] for hour in numbers["hours"]) == 3
    assert numbers["latency_ms"]["receipt_to_commit"]["n"] == 3
    own = numbers["latency_ms"]["alert_to_receipt"]
    assert own["n"] == 1
    assert 1500 < own["p50"] < 60_000
    ((strategy,),) = [[last["strategy"] for last in numbers["last_alerts"]]]
    assert strategy == "breakout"


@pytest.mark.parametrize(
    ("seconds", "status", "kind"),
    [
        (-5, 503, "resend"),
        (-10, 503, "resend"),
        (-19, 503, "resend"),
        (-2, 503, "first"),
        (-30, 503, "first"),
        (-5, 413, "first"),
    ],
)
def test_what_comes_back_after_our_own_error_is_a_resend(
    client: FlaskClient, app: Flask, database_url: str, seconds: float, status: int, kind: str
) -> None:
    client.post(WEBHOOK, json=alert("a"))
    ((key, at),) = run_sql(database_url, "SELECT split_part(event_key, '@', 1), received_at FROM automated_signals")
    assert isinstance(at, datetime)
    tally = app.extensions["alertbook"].tally
    refused = Delivery(at + timedelta(seconds=seconds), "203.0.113.1")
    tally.refused(refusal(refused, body_hash=str(key), status=status, code="SPOOL_UNAVAILABLE"))
    app.extensions["alertbook"].caretaker.round()
    totals = intake(client)["totals"]
    assert (totals["first"] + totals["resend"], totals[kind]) == (1, 1)


def test_a_refusal_of_ours_names_the_body_that_will_come_again(database_url: str, tmp_path: Path) -> None:
    away = create_app(load({"DATABASE_URL": AWAY, "SPOOL_DIR": "off"}))
    back = create_app(load({"DATABASE_URL": database_url, "ALERTBOOK_DATA_DIR": str(tmp_path)}))
    assert away.test_client().post(WEBHOOK, json=alert("a")).status_code == 503
    assert back.test_client().post(WEBHOOK, json=alert("a")).status_code == 200
    here = away.extensions["alertbook"]
    here.tally.report(back.extensions["alertbook"].pool)
    rows = run_sql(
        database_url,
        "SELECT r.status, r.code FROM receipt AS r INNER JOIN automated_signals AS s"
        " ON r.body_hash = split_part(s.event_key, '@', 1)",
    )
    assert rows == [(503, "SPOOL_UNAVAILABLE")]
    back.extensions["alertbook"].close()


def test_the_spool_answers_and_is_counted(database_url: str, tmp_path: Path) -> None:
    away = create_app(load({"DATABASE_URL": AWAY, "ALERTBOOK_DATA_DIR": str(tmp_path)})).test_client()
    answer = away.post(WEBHOOK, json=alert("a")).get_json()
    assert (answer["success"], answer["event_id"], answer["durable"]) == (True, None, "spool")
    metrics = away.get("/metrics").get_data(as_text=True)
    assert "alertbook_database_up 0.0" in metrics
    assert "alertbook_spool_depth 1.0" in metrics
    back = create_app(load({"DATABASE_URL": database_url, "ALERTBOOK_DATA_DIR": str(tmp_path)}))
    spool = intake(back.test_client())["spool"]
    assert (spool["state"], spool["depth"]) == ("on", 1)
    back.extensions["alertbook"].caretaker.round()
    assert intake(back.test_client())["spool"]["depth"] == 0
    assert back.test_client().get("/api/automated-signals/trade/a").status_code == 200
    repeat = back.test_client().post(WEBHOOK, json=alert("a")).get_json()
    assert (repeat["durable"], repeat["duplicate"]) == ("database", True)
    back.extensions["alertbook"].close()


def test_a_broken_spool_is_said(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").write_text("this is not the file that it should be" * 100)
    app = create_app(load({"DATABASE_URL": database_url, "SPOOL_DIR": str(tmp_path)}))
    assert intake(app.test_client())["spool"] == {"state": "unusable", "depth": None, "oldest": None}
    app.extensions["alertbook"].close()


def test_receipts_are_listed(client: FlaskClient, app: Flask) -> None:
    for _ in range(4):
        client.post(WEBHOOK, json=alert("a"))
    first = client.get("/api/v1/intake/receipts?limit=2&kind=repeat").get_json()
    rest = client.get(f"/api/v1/intake/receipts?limit=2&cursor={first['next_cursor']}").get_json()
    items = first["items"] + rest["items"]
    assert len({item["id"] for item in items}) == 3
    assert {(item["kind"], item["trade_id"], item["status"]) for item in items} == {("repeat", "a", 200)}
    assert rest["next_cursor"] is None
    assert client.get("/api/v1/intake/receipts?kind=first").status_code == 422


def test_metrics_carry_the_same(client: FlaskClient) -> None:
    client.post(WEBHOOK, json=alert("a", strategy_id='odd "name"\n'))
    response = client.get("/metrics")
    text = response.get_data(as_text=True)
    assert response.content_type.startswith("text/plain; version=0.0.4")
    assert "alertbook_database_up 1.0" in text
    assert 'alertbook_deliveries{kind="first"} 1.0' in text
    assert 'alertbook_latency_ms{quantile="p99",stage="receipt_to_commit"}' in text
    assert "alertbook_quarantine_waiting 0.0" in text
    assert 'strategy="odd \\"name\\"' in text


def test_silence_and_the_stop_of_busy_alerts(client: FlaskClient, database_url: str) -> None:
    for n in range(13):
        client.post(WEBHOOK, json=alert(f"busy{n}", strategy_id="busy", symbol="ES1!"))
    for n in range(8):
        client.post(WEBHOOK, json=alert(f"quiet{n}", strategy_id="quiet", symbol="NQ1!"))
    run_sql(
        database_url,
        "UPDATE automated_signals SET received_at = received_at - '5 days'::interval"
        " - split_part(trade_id, 'quiet', 2)::integer * '1 minute'::interval WHERE strategy_id = 'quiet'",
    )
    answer = client.get("/api/v1/intake/silence").get_json()
    busy, quiet = answer["items"]
    assert (busy["strategy"], busy["symbol"], busy["near_stop"], busy["silent"]) == ("busy", "ES1!", True, False)
    assert "15 triggers in 3 minutes" in busy["warning"]
    assert (quiet["strategy"], quiet["silent"], quiet["near_stop"], quiet["warning"]) == ("quiet", True, False, None)
    assert answer["silent"] == 1
