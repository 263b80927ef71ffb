"""Without keys the server is open to this machine's programs, not to the pages of its browser."""

import pytest
from flask.testing import FlaskClient

from settings import load
from tests.handlers.test_access import KEYS
from web_server import create_app

ALERT = {"type": "ENTRY", "signal_id": "l", "entry_price": 1}
WEBHOOK = "/api/automated-signals/webhook"


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:8080", "127.1.2.3", "[::1]:5000", "[::1]"])
def test_this_machine_gets_in(client: FlaskClient, host: str) -> None:
    assert client.get("/api/automated-signals/trades", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:5000", "192.168.1.5", "[::2]", "a b", "["],
)
@pytest.mark.parametrize(
    ("path", "setting"),
    [
        ("/api/automated-signals/trades", "API_KEY"),
        ("/api/v1/quarantine", "ADMIN_KEY"),
        ("/metrics", "API_KEY"),
    ],
)
def test_a_name_that_points_here_does_not(client: FlaskClient, host: str, path: str, setting: str) -> None:
    response = client.get(path, headers={"Host": host})
    assert response.status_code in (400, 403)
    if response.status_code == 403:
        assert response.get_json()["code"] == "NOT_LOCAL"
        assert f"set {setting}" in response.get_json()["error"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://["])
def test_a_page_of_elsewhere_changes_nothing(client: FlaskClient, origin: str) -> None:
    for path in (WEBHOOK, "/api/v1/quarantine/replay"):
        response = client.post(path, json=ALERT, headers={"Origin": origin})
        assert (response.status_code, response.get_json()["code"]) == (403, "NOT_LOCAL")


def test_an_address_that_acts_when_it_is_read_is_not_opened_by_a_link(client: FlaskClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    path = "/api/jobs/freeze/check?prev_balance=1&current_balance=1"
    response = client.get(path, headers=headers)
    assert (response.status_code, response.get_json()["code"]) == (403, "NOT_LOCAL")
    assert client.get(path, headers={"Sec-Fetch-Site": "same-site"}).status_code == 200
    assert client.get("/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:5000", "http://[::1]:5000"])
def test_a_page_of_this_machine_does(client: FlaskClient, origin: str) -> None:
    assert client.post(WEBHOOK, json=ALERT, headers={"Origin": origin}).status_code == 200


def test_public_pages_answer_to_any_name(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"Host": "health.example"}).status_code == 200


def test_with_keys_nothing_of_this_matters(database_url: str) -> None:
    client = create_app(load({"DATABASE_URL": database_url, **KEYS})).test_client()
    headers = {"Host": "alerts.example", "Origin": "https://evil.example"}
    path = f"{WEBHOOK}/{KEYS['WEBHOOK_SECRET']}"
    assert client.post(path, json=ALERT, headers=headers).status_code == 200
    keyed = {**headers, "X-API-Key": KEYS["API_KEY"]}
    assert client.get("/api/automated-signals/trades", headers=keyed).status_code == 200
