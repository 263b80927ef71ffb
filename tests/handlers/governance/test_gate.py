"""The gate: what is refused while go-live is off or the kill switch is engaged, route by route."""

import re
from pathlib import Path

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from database.governance import go_live
from handlers.middleware.access import Execution, Role, access, declared
from handlers.middleware.answers import answer
from handlers.services import Services
from settings import load
from state.governance.go_live import is_open_path
from tests.conftest import run_sql
from tests.database.governance.reserving import OPERATOR
from web_server import create_app

LIVE = {"ENV": "production", "GO_LIVE_ENFORCE": "1"}


def make(url: str, folder: Path, **environ: str) -> Flask:
    """An application with one route that moves something and one that tries something in the sandbox."""
    app = create_app(load({"DATABASE_URL": url, "ALERTBOOK_DATA_DIR": str(folder), **environ}))

    @access(Role.WRITE, Execution.PROD_EXEC)
    def move() -> Response:
        return answer({"moved": True})

    @access(Role.WRITE, Execution.SANDBOX_EXEC)
    def practise() -> Response:
        return answer({"tried": True})

    app.add_url_rule("/api/v1/move", "move", move, methods=["POST"])
    app.add_url_rule("/api/v1/practise", "practise", practise, methods=["POST"])
    return app


@pytest.fixture
def enforced(database_url: str, tmp_path: Path) -> Flask:
    return make(database_url, tmp_path, **LIVE)


def pool_of(app: Flask) -> Services:
    services: Services = app.extensions["alertbook"]
    return services


def go_on(app: Flask, enabled: bool = True) -> None:
    go_live.set_go_live(pool_of(app).pool, OPERATOR, enabled=enabled)


def engage(app: Flask, engaged: bool = True) -> None:
    go_live.set_kill_switch(pool_of(app).pool, OPERATOR, engaged=engaged)


def assert_disabled(client: FlaskClient, method: str, path: str) -> None:
    refused = client.open(path, method=method)
    body = refused.get_json()
    assert refused.status_code == 403
    assert (body["error"], body["code"]) == ("GO_LIVE_DISABLED", "GO_LIVE_DISABLED")
    assert body["message"].startswith("Go-live is off")
    assert refused.headers["X-Request-Id"] == body["request_id"]


def test_with_go_live_off_only_recording_reading_and_open_paths_pass(enforced: Flask) -> None:
    client = enforced.test_client()
    for rule in enforced.url_map.iter_rules():
        needed = declared(enforced, rule.endpoint)
        assert needed is not None
        path = re.sub(r"<(?:int:)?\w+>", "1", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            if needed.execution is Execution.OBSERVE_ONLY or is_open_path(path):
                assert client.open(path, method=method).status_code not in (401, 403), (method, path)
            else:
                assert_disabled(client, method, path)


@pytest.mark.parametrize("path", ["/api/deals", "/nowhere", "/docsx", "/api/governances/x", "/api/v1/move"])
def test_unknown_paths_are_closed_with_go_live_off(enforced: Flask, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert_disabled(enforced.test_client(), method, path)


def test_unknown_paths_below_open_ones_are_only_missing(enforced: Flask) -> None:
    for path in ("/api/governance/nothing", "/docs/nothing", "/api/admin/nothing"):
        assert enforced.test_client().get(path).status_code == 404


def test_with_go_live_on_everything_is_as_usual(enforced: Flask) -> None:
    go_on(enforced)
    client = enforced.test_client()
    assert client.post("/api/v1/move").get_json() == {"moved": True}
    assert client.post("/api/v1/practise").get_json() == {"tried": True}
    assert client.get("/api/deals").status_code == 404


def test_the_kill_switch_stops_what_moves_and_nothing_else(enforced: Flask) -> None:
    go_on(enforced)
    engage(enforced)
    client = enforced.test_client()
    refused = client.post("/api/v1/move")
    assert refused.status_code == 403
    body = refused.get_json()
    assert (body["error"], body["exec_class"], body["path"]) == ("KILL_SWITCH_ENGAGED", "PROD_EXEC", "/api/v1/move")
    assert client.post("/api/v1/practise").status_code == 200
    assert client.get("/api/deals").status_code == 404
    alert = {"type": "ENTRY", "signal_id": "t", "entry_price": 20500}
    assert client.post("/api/automated-signals/webhook", json=alert).status_code == 200
    engage(enforced, engaged=False)
    assert client.post("/api/v1/move").status_code == 200


def reason(client: FlaskClient) -> str:
    response = client.post("/api/governance/risk/check-and-reserve", json={"engine": "CAPITAL", "amount": 1})
    assert response.status_code == 200
    return str(response.get_json()["reason"])


def test_check_and_reserve_answers_for_itself(enforced: Flask) -> None:
    client = enforced.test_client()
    assert reason(client) == "go_live_disabled"
    go_on(enforced)
    assert reason(client) == "reserved"
    engage(enforced)
    assert reason(client) == "kill_switch_engaged"
    go_on(enforced, enabled=False)
    assert reason(client) == "kill_switch_engaged"


def test_settling_and_releasing_always_pass(enforced: Flask) -> None:
    client = enforced.test_client()
    go_on(enforced)
    for name in ("a", "b"):
        body = {"engine": "CAPITAL", "amount": 1, "reservation_id": name}
        assert client.post("/api/governance/risk/check-and-reserve", json=body).get_json()["ok"]
    engage(enforced)
    go_on(enforced, enabled=False)
    settled = client.post("/api/governance/risk/settle", json={"reservation_id": "a"})
    released = client.post("/api/governance/risk/release", json={"reservation_id": "b"})
    assert (settled.status_code, released.status_code) == (200, 200)


@pytest.mark.parametrize(
    ("environ", "enforced"),
    [
        (LIVE, True),
        ({"ENV": "prod", "GO_LIVE_ENFORCE": "true"}, True),
        ({"APP_ENV": "Live", "GO_LIVE_ENFORCE": "on"}, True),
        ({"ENV": "development", "APP_ENV": "production", "GO_LIVE_ENFORCE": "1"}, False),
        ({"ENV": "production", "GO_LIVE_ENFORCE": "0"}, False),
        ({"ENV": "production"}, False),
        ({"GO_LIVE_ENFORCE": "1"}, False),
    ],
)
def test_where_it_is_enforced(database_url: str, tmp_path: Path, environ: dict[str, str], enforced: bool) -> None:
    app = make(database_url, tmp_path, **environ)
    client = app.test_client()
    assert client.post("/api/v1/move").status_code == (403 if enforced else 200)
    assert client.get("/api/deals").status_code == (403 if enforced else 404)
    assert reason(client) == ("go_live_disabled" if enforced else "reserved")
    engage(app)
    assert reason(client) == "kill_switch_engaged"


def test_a_missing_row_means_not_live_and_halted(enforced: Flask, database_url: str) -> None:
    go_on(enforced)
    run_sql(database_url, "DELETE FROM go_live_state")
    client = enforced.test_client()
    assert client.post("/api/v1/move").get_json()["error"] == "KILL_SWITCH_ENGAGED"
    assert client.get("/api/deals").get_json()["error"] == "GO_LIVE_DISABLED"
    assert reason(client) == "kill_switch_engaged"
    alert = {"type": "ENTRY", "signal_id": "t", "entry_price": 20500}
    assert client.post("/api/automated-signals/webhook", json=alert).status_code == 200
    state = client.get("/api/governance/go-live/state").get_json()
    assert (state["go_live_enabled"], state["kill_switch_engaged"]) == (False, True)
    engage(enforced, engaged=False)
    go_on(enforced)
    assert client.post("/api/v1/move").status_code == 200


def test_unreadable_switches_close_execution_and_leave_recording_open(tmp_path: Path) -> None:
    client = make("postgresql://nobody@127.0.0.1:1/none", tmp_path, **LIVE).test_client()
    assert client.post("/api/v1/move").get_json()["error"] == "KILL_SWITCH_ENGAGED"
    assert client.get("/api/deals").get_json()["error"] == "GO_LIVE_DISABLED"
    assert client.get("/healthz").status_code == 200
    alert = {"type": "ENTRY", "signal_id": "t", "entry_price": 20500}
    assert client.post("/api/automated-signals/webhook", json=alert).status_code != 403


def test_every_route_tells_its_class(client: FlaskClient, app: Flask) -> None:
    routes = client.get("/api/governance/routes").get_json()["items"]
    assert len(routes) == len(list(app.url_map.iter_rules()))
    assert all(route["exec_class"] in set(Execution) and route["role"] in set(Role) for route in routes)
    classes = {route["path"]: route["exec_class"] for route in routes}
    assert classes["/api/governance/risk/check-and-reserve"] == "PROD_EXEC"
    assert classes["/api/governance/risk/settle"] == "OBSERVE_ONLY"
    assert classes["/api/automated-signals/webhook"] == "OBSERVE_ONLY"
