"""Wrong keys are slowed down, right ones never."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from settings import load
from tests.conftest import run_sql
from tests.handlers.test_access import KEYS
from web_server import create_app

WEBHOOK = "/api/automated-signals/webhook"
ALERT = {"type": "ENTRY", "signal_id": "f", "entry_price": 1}
AWAY = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def guarded(database_url: str) -> Iterator[Flask]:
    app = create_app(load({"DATABASE_URL": database_url, **KEYS, "SPOOL_DIR": "off"}))
    yield app
    app.extensions["alertbook"].close()


def wrong(client: FlaskClient, address: str = "203.0.113.1", path: str = f"{WEBHOOK}/wrong-secret") -> TestResponse:
    return client.post(path, json=ALERT, environ_base={"REMOTE_ADDR": address})


def test_the_31st_failure_of_a_minute_is_429_and_a_right_secret_never(guarded: Flask) -> None:
    client = guarded.test_client()
    assert [wrong(client).status_code for _ in range(30)] == [401] * 30
    for _ in range(3):
        refused = wrong(client)
        assert (refused.status_code, refused.get_json()["code"]) == (429, "TOO_MANY_REQUESTS")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
    right = client.post(f"{WEBHOOK}/{KEYS['WEBHOOK_SECRET']}", json=ALERT, environ_base={"REMOTE_ADDR": "203.0.113.1"})
    assert right.status_code == 200
    in_the_body = client.post(
        WEBHOOK, json={**ALERT, "secret": KEYS["WEBHOOK_SECRET"]}, environ_base={"REMOTE_ADDR": "203.0.113.1"}
    )
    assert in_the_body.status_code == 200
    assert wrong(client, "203.0.113.2").status_code == 401


def test_other_keys_count_too_and_all_together(guarded: Flask) -> None:
    client = guarded.test_client()
    here = {"REMOTE_ADDR": "203.0.113.1"}
    paths = ["/api/automated-signals/trades", "/api/v1/quarantine", "/api/v1/intake"]
    statuses = [client.get(paths[n % 3], environ_base=here).status_code for n in range(31)]
    assert statuses == [401] * 30 + [429]
    keyed = client.get(paths[0], headers={"X-API-Key": KEYS["API_KEY"]}, environ_base=here)
    assert keyed.status_code == 200


def test_it_is_one_count_over_all_processes(guarded: Flask, database_url: str) -> None:
    other = create_app(load({"DATABASE_URL": database_url, **KEYS, "SPOOL_DIR": "off"}))
    for n in range(30):
        assert wrong((guarded, other)[n % 2].test_client()).status_code == 401
    assert [wrong(app.test_client()).status_code for app in (guarded, other)] == [429, 429]
    other.extensions["alertbook"].close()


def test_a_network_of_one_ipv6_customer_is_one_sender(guarded: Flask) -> None:
    client = guarded.test_client()
    statuses = [wrong(client, f"2001:db8::{n:x}").status_code for n in range(1, 32)]
    assert statuses == [401] * 30 + [429]


def test_the_minute_ends(guarded: Flask, database_url: str) -> None:
    client = guarded.test_client()
    for _ in range(30):
        wrong(client)
    run_sql(database_url, "UPDATE auth_failure SET since = since - '1 minute'::interval")
    assert wrong(client).status_code == 401


def test_while_the_database_is_away_each_process_counts_for_itself() -> None:
    client = create_app(load({"DATABASE_URL": AWAY, **KEYS, "SPOOL_DIR": "off"})).test_client()
    assert [wrong(client).status_code for _ in range(31)] == [401] * 30 + [429]


def test_bodies_of_strangers_are_counted_and_never_stored(guarded: Flask, database_url: str) -> None:
    client = guarded.test_client()
    for data in (b"not json", b'{"type":"ENTRY"}', b'{"a":1,"a":2}', b"\xff"):
        assert client.post(f"{WEBHOOK}/wrong-secret", data=data).status_code == 401
    guarded.extensions["alertbook"].close()
    assert run_sql(database_url, "SELECT count(*) FROM quarantine") == [(0,)]
    assert run_sql(database_url, "SELECT count(*) FROM receipt") == [(0,)]
    assert run_sql(database_url, "SELECT kind, deliveries FROM intake_hour") == [("unauthenticated", 4)]


@pytest.mark.parametrize("secret", ["\\ud800", "\\u0000", "gr\\u00fc\\u00dfe", ""])
def test_odd_secrets_are_only_wrong(guarded: Flask, secret: str) -> None:
    response = guarded.test_client().post(WEBHOOK, data=f'{{"secret": "{secret}"}}')
    assert response.status_code == 401
    assert "WEBHOOK" not in response.get_data(as_text=True)
