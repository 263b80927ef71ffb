"""The express lane answers as Flask does: compared with the same alert at an address that only Flask takes."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from handlers import signals
from handlers.middleware.arrival import Arrival
from handlers.middleware.metrics import exposition
from tests.handlers.test_signals import ENTRY, WEBHOOK, post, read_json

EXPRESS = WEBHOOK
THROUGH_FLASK = "/api/automated-signals"
BODIES = {
    "good": ENTRY,
    "wrong": {"type": "ENTRY", "signal_id": "a,b", "entry_price": "x"},
    "unknown": {"hello": "world"},
    "no JSON": "{",
    "empty": "",
    "too large": '{"a": "' + "x" * 70_000 + '"}',
}


def told(client: FlaskClient, path: str, body: object) -> tuple[int, set[str], dict[str, object]]:
    response = post(client, body, path, headers={"X-Request-Id": "mine"})
    said = {name: value for name, value in read_json(response).items() if name not in ("event_id", "quarantine_id")}
    said.pop("duplicate", None)
    return response.status_code, {f"{name}: {value}" for name, value in response.headers if name != "Date"}, said


@pytest.mark.parametrize("case", BODIES)
def test_both_ways_give_the_same_status_headers_and_body(client: FlaskClient, case: str) -> None:
    status, headers, said = told(client, THROUGH_FLASK, BODIES[case])
    express_status, express_headers, express_said = told(client, EXPRESS, BODIES[case])
    assert (express_status, express_said) == (status, said)
    # the ids in the body differ in their digits, and with them the length
    without_length = [{line for line in lines if "Content-Length" not in line} for lines in (headers, express_headers)]
    assert without_length[0] == without_length[1]
    assert "X-Request-Id: mine" in express_headers


def test_an_alert_that_lay_too_long_is_asked_for_again_both_ways(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "arrival_of", lambda environ: Arrival(1.6, hung_up=False))
    through_flask, express = (told(client, path, ENTRY) for path in (THROUGH_FLASK, EXPRESS))
    assert through_flask == express
    status, headers, said = express
    assert (status, said["code"]) == (503, "UNAVAILABLE")
    assert "Retry-After: 5" in headers


def test_an_alert_whose_turn_comes_too_late_is_asked_for_again(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = iter((0.1, 1.5, 0.2, 0.3))
    monkeypatch.setattr(signals, "arrival_of", lambda environ: Arrival(next(ages), hung_up=False))
    assert [post(client, ENTRY).status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize("arrival", [Arrival(2.6, hung_up=False), Arrival(0.2, hung_up=True)])
def test_an_alert_that_nobody_will_send_again_is_stored(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, arrival: Arrival
) -> None:
    monkeypatch.setattr(signals, "arrival_of", lambda environ: arrival)
    assert read_json(post(client, ENTRY))["durable"] == "database"


def test_an_alert_came_when_it_came_however_late_its_turn_is(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender gave up and sent the next one, which another process took at once."""
    monkeypatch.setattr(signals, "arrival_of", lambda environ: Arrival(0.0, hung_up=False))
    post(client, {**ENTRY, "signal_id": "second"})
    monkeypatch.setattr(signals, "arrival_of", lambda environ: Arrival(40.0, hung_up=True))
    post(client, {**ENTRY, "signal_id": "first"})
    items = read_json(client.get("/api/automated-signals/recent"))["items"]
    assert [item["trade_id"] for item in items] == ["second", "first"]


def test_what_nobody_expected_is_a_plain_500(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a table called secrets")

    monkeypatch.setattr(signals, "take", fail)
    response = post(app.test_client(), ENTRY)
    assert response.status_code == 500
    assert read_json(response)["code"] == "INTERNAL_ERROR"
    assert "secrets" not in response.get_data(as_text=True)
    assert response.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", [f"{WEBHOOK}/", f"{WEBHOOK}/a/b", f"{WEBHOOK}/%00", f"{WEBHOOK}?a=%00"])
def test_other_addresses_do_not_pass(client: FlaskClient, path: str) -> None:
    assert post(client, ENTRY, path).status_code in (404, 405, 422)


def test_a_secret_of_other_letters_is_read_as_it_was_sent(app: Flask) -> None:
    response = post(app.test_client(), ENTRY, f"{WEBHOOK}/g%C3%A4ste")
    assert response.status_code == 200


def test_answers_are_counted_by_their_rule(client: FlaskClient) -> None:
    line = b'alertbook_requests_total{method="POST",route="/api/automated-signals/webhook/<secret>",status="200"}'
    post(client, ENTRY, f"{WEBHOOK}/anything")
    (before,) = [one for one in exposition().splitlines() if one.startswith(line)]
    post(client, ENTRY, f"{WEBHOOK}/anything")
    (after,) = [one for one in exposition().splitlines() if one.startswith(line)]
    assert float(after.split()[-1]) == float(before.split()[-1]) + 1
