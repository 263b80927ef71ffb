"""Every route has an access rule, and every role gets in just where it should."""

import re

import pytest
from flask import Flask

from handlers.middleware.access import Role, declared, matches
from settings import load
from web_server import create_app

KEYS = {
    "WEBHOOK_SECRET": "webhook-secret-1",
    "API_KEY": "api-key-12345",
    "ADMIN_KEY": "admin-key-12345",
    "INTERNAL_TOKEN": "internal-token-1",
    "SESSION_SECRET": "session-secret-1",
}
CREDENTIALS = {
    "nobody": {},
    "stranger": {"X-API-Key": "wrong-key-123", "X-Admin-Key": "wrong-key-123", "X-Internal-Token": "wrong-key-123"},
    "script": {"X-API-Key": KEYS["API_KEY"]},
    "operator": {"X-Admin-Key": KEYS["ADMIN_KEY"]},
    "sender": {"X-Internal-Token": KEYS["INTERNAL_TOKEN"]},
}
# after 30 wrong keys of one address in a minute every further one is slowed down
GUARDED = (401, 403, 429)
OPENED = {
    Role.PUBLIC: {"nobody", "stranger", "script", "operator", "sender"},
    Role.READ: {"script", "operator"},
    Role.WRITE: {"script", "operator"},
    Role.ADMIN: {"operator"},
    Role.INTERNAL: {"sender"},
    Role.WEBHOOK: set(),
}


@pytest.fixture
def guarded(database_url: str) -> Flask:
    return create_app(load({"DATABASE_URL": database_url, **KEYS}))


def test_every_route_is_declared(app: Flask) -> None:
    undeclared = [rule.rule for rule in app.url_map.iter_rules() if declared(app, rule.endpoint) is None]
    assert undeclared == []


@pytest.mark.parametrize("who", CREDENTIALS)
def test_every_route_against_every_role(guarded: Flask, who: str) -> None:
    client = guarded.test_client()
    wrong: list[tuple[str, str, str, int]] = []
    tried: list[str] = []
    for rule in guarded.url_map.iter_rules():
        needed = declared(guarded, rule.endpoint)
        assert needed is not None
        path = re.sub(r"<(?:int:|path:)?\w+>", "1", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            # each from an address of its own: too many wrong keys of one are another matter
            address = {"REMOTE_ADDR": f"10.0.{len(tried) // 200}.{len(tried) % 200}"}
            tried.append(path)
            answer = client.open(path, method=method, headers=CREDENTIALS[who], environ_base=address)
            status = answer.status_code
            answer.close()  # an export streams
            # a page without a login leads to the login
            let_in = status not in GUARDED and not answer.headers.get("Location", "").startswith("/dashboard/login")
            if let_in != (who in OPENED[needed.role]):
                wrong.append((method, path, who, status))
    assert wrong == []


def test_an_undeclared_route_is_closed(app: Flask) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    response = app.test_client().get("/forgotten")
    assert response.status_code == 403
    assert response.get_json()["code"] == "NO_ACCESS_RULE"


def test_keys_are_compared_as_bytes() -> None:
    assert matches("grüße-und-mehr", ["other-key", "grüße-und-mehr"])
    assert not matches("\udcff", ["other-key"])
    assert not matches(None, ["other-key"])
    assert not matches("", [])


def test_a_right_key_without_the_role_is_forbidden(guarded: Flask) -> None:
    admin_paths = [
        rule.rule
        for rule in guarded.url_map.iter_rules()
        if (declared(guarded, rule.endpoint) or 0).role is Role.ADMIN  # type: ignore[union-attr]
    ]
    for path in admin_paths:
        response = guarded.test_client().get(path, headers=CREDENTIALS["script"])
        assert response.status_code in (403, 404, 405)
