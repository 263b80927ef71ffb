"""The freeze check over HTTP, its notice, and what `engage` asks for."""

from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from settings import load
from tests.conftest import run_sql
from tests.handlers.test_signals import read_json
from web_server import create_app

CHECK = "/api/jobs/freeze/check"


def check(client: FlaskClient, previous: str, current: str, **more: str) -> Any:
    query = {"prev_balance": previous, "current_balance": current, **more}
    return read_json(client.get(CHECK, query_string=query))


def notices(url: str) -> int:
    return len(run_sql(url, "SELECT id FROM notice"))


def test_exactly_two_percent_is_acceptable(client: FlaskClient, database_url: str) -> None:
    assert check(client, "50000", "49000") == {
        "ok": True,
        "frozen": False,
        "drawdown_pct": Decimal("0.02"),
        "threshold_pct": Decimal("0.02"),
        "prev_balance": 50000,
        "current_balance": 49000,
        "message": "Within acceptable drawdown",
    }
    assert notices(database_url) == 0


def test_more_than_two_percent_freezes_and_is_told_once(client: FlaskClient, database_url: str) -> None:
    found = check(client, "50000", "48500.00")
    assert (found["frozen"], found["drawdown_pct"]) == (True, Decimal("0.03"))
    assert found["message"] == "FREEZE TRIGGERED - 3.00% drawdown"
    check(client, "50000.0", "4.85e4")
    assert notices(database_url) == 1
    check(client, "50000", "48000")
    assert notices(database_url) == 2


@pytest.mark.parametrize("previous", ["0", "-1"])
def test_without_a_previous_balance_nothing_is_compared(client: FlaskClient, previous: str) -> None:
    found = check(client, previous, "10")
    assert (found["frozen"], found["drawdown_pct"], found["message"]) == (False, 0, "No previous balance to compare")


def test_a_gain_is_a_drawdown_of_0(client: FlaskClient) -> None:
    assert check(client, "100", "150")["drawdown_pct"] == 0


def test_a_source_has_its_own_threshold(client: FlaskClient) -> None:
    profile = {"source": "fx", "freeze_drawdown_pct": "0.05", "note": "volatile"}
    for _ in range(2):
        assert client.post("/api/capital/risk-profiles", json=profile).status_code == 200
    assert check(client, "100", "96", source="fx")["frozen"] is False
    assert check(client, "100", "96", source="other")["frozen"] is True
    listed = read_json(client.get("/api/capital/risk-profiles"))
    assert (listed["default"], listed["items"][0]["freeze_drawdown_pct"]) == (Decimal("0.02"), Decimal("0.05"))
    assert client.delete("/api/capital/risk-profiles/fx").status_code == 200
    assert client.delete("/api/capital/risk-profiles/fx").status_code == 404
    assert check(client, "100", "96", source="fx")["frozen"] is True
    client.post("/api/capital/risk-profiles", json={**profile, "source": "fx/eur"})
    assert client.delete("/api/capital/risk-profiles/fx/eur").get_json() == {"ok": True, "source": "fx/eur"}
    for wrong in ("0", "1.1", "x"):
        assert (
            client.post("/api/capital/risk-profiles", json={**profile, "freeze_drawdown_pct": wrong}).status_code == 422
        )


@pytest.mark.parametrize("field", ["prev_balance", "current_balance"])
@pytest.mark.parametrize("value", [None, "x", "NaN", "1,000", "1e40", ""])
def test_a_wrong_balance_is_named(client: FlaskClient, field: str, value: str | None) -> None:
    query = {"prev_balance": "1", "current_balance": "1", field: value}
    response = client.get(CHECK, query_string={name: text for name, text in query.items() if text is not None})
    assert response.status_code == 422
    assert response.get_json()["details"][0]["field"] == field


def test_engage_needs_the_admin_key_and_engages_the_kill_switch(database_url: str) -> None:
    keys = {"API_KEY": "api-key-12345", "ADMIN_KEY": "admin-key-12345"}
    client = create_app(load({"DATABASE_URL": database_url, **keys})).test_client()
    query = {"prev_balance": "100", "current_balance": "90", "engage": "true"}
    assert client.get(CHECK, query_string=query, headers={"X-API-Key": "api-key-12345"}).status_code == 403
    admin = {"X-Admin-Key": "admin-key-12345"}
    calm = client.get(CHECK, query_string={**query, "current_balance": "99"}, headers=admin)
    assert (calm.status_code, calm.get_json()["kill_switch_engaged"]) == (200, False)
    assert run_sql(database_url, "SELECT kill_switch_engaged FROM go_live_state") == [(False,)]
    for _ in range(2):
        frozen = client.get(CHECK, query_string=query, headers=admin).get_json()
        assert (frozen["frozen"], frozen["kill_switch_engaged"]) == (True, True)
    assert run_sql(database_url, "SELECT kill_switch_engaged FROM go_live_state") == [(True,)]
    kinds = run_sql(database_url, "SELECT kind FROM notice ORDER BY kind")
    assert kinds == [("freeze",), ("kill_switch",)]


def test_a_login_engages_nothing_and_a_viewer_makes_no_notice(database_url: str) -> None:
    keys = {"API_KEY": "api-key-12345", "ADMIN_KEY": "admin-key-12345", "VIEWER_KEY": "viewer-key-12345"}
    client = create_app(
        load({"DATABASE_URL": database_url, "SESSION_SECRET": "a secret of a session", **keys})
    ).test_client()
    query = {"prev_balance": "100", "current_balance": "90"}
    for key, told in (("viewer-key-12345", 0), ("admin-key-12345", 1)):
        assert client.post("/dashboard/login", data={"key": key}).status_code == 303
        assert client.get(CHECK, query_string={**query, "engage": "true"}).status_code == 401
        assert client.get(CHECK, query_string=query).get_json()["frozen"] is True
        assert run_sql(database_url, "SELECT count(*) FROM notice") == [(told,)]
    assert run_sql(database_url, "SELECT kill_switch_engaged FROM go_live_state") == [(False,)]


def test_without_a_database_a_freeze_is_still_answered() -> None:
    client = create_app(load({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})).test_client()
    assert check(client, "100", "90")["frozen"] is True
    query = {"prev_balance": "100", "current_balance": "90", "engage": "true"}
    assert client.get(CHECK, query_string=query).status_code == 503
