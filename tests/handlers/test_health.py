"""Health, readiness, and the shape of errors."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from handlers.middleware.access import Role, access
from settings import VERSION, load
from web_server import create_app


def away() -> FlaskClient:
    return create_app(load({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})).test_client()


def test_alive_without_a_database() -> None:
    answer = away().get("/healthz")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "ok")


def test_ready(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()) == (200, {"ready": True, "database": "up", "pending_migrations": []})


def test_not_ready_without_a_database() -> None:
    answer = away().get("/readyz")
    assert (answer.status_code, answer.get_json()["database"]) == (503, "down")
    assert answer.headers["Retry-After"]


def test_not_ready_before_the_migrations(empty_database_url: str) -> None:
    answer = create_app(load({"DATABASE_URL": empty_database_url})).test_client().get("/readyz")
    assert answer.status_code == 503
    assert "0001.create_automated_signals" in answer.get_json()["pending_migrations"]


def test_health_names_its_parts(client: FlaskClient) -> None:
    expected = {"status": "healthy", "service": "alertbook", "version": VERSION, "database": "up", "redis": "off"}
    assert client.get("/health").get_json() == expected


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "nonsense"])
def test_a_redis_that_is_away_degrades(database_url: str, url: str) -> None:
    client = create_app(load({"DATABASE_URL": database_url, "REDIS_URL": url})).test_client()
    assert client.get("/health").get_json().items() >= {"status": "degraded", "redis": "down", "database": "up"}.items()


def test_health_without_a_database() -> None:
    assert away().get("/health").get_json().items() >= {"status": "degraded", "database": "down"}.items()


def test_status_and_root(client: FlaskClient) -> None:
    assert client.get("/api/system/status").get_json()["ok"] is True
    root = client.get("/").get_json()
    assert (root["service"], root["version"]) == ("alertbook", VERSION)
    for path in [root["docs"], root["links"]["openapi"], root["links"]["stats"]]:
        assert client.get(path).status_code == 200


def test_unknown_path_and_method(client: FlaskClient) -> None:
    missing = client.get("/nowhere")
    assert (missing.status_code, missing.get_json()["code"]) == (404, "NOT_FOUND")
    wrong = client.delete("/healthz")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_every_answer_has_its_headers(client: FlaskClient) -> None:
    for path in ("/healthz", "/nowhere"):
        headers = client.get(path, headers={"X-Request-Id": "my-id.1"}).headers
        assert headers["X-Request-Id"] == "my-id.1"
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/healthz", headers={"X-Request-Id": "bad id\t"}).headers["X-Request-Id"] != "bad id\t"


def test_a_nul_in_an_address_is_refused(client: FlaskClient) -> None:
    for path in ("/api/automated-signals/trade/a%00b", "/api/automated-signals/trades?symbol=%00"):
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "NUL_IN_ADDRESS")


def test_an_unexpected_error_tells_nothing(app: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        hidden = "a-secret-value"
        raise RuntimeError(f"broken {len(hidden)}")

    app.view_functions["health.healthz"] = access(Role.PUBLIC)(fail)
    answer = app.test_client().get("/healthz")
    assert answer.status_code == 500
    assert answer.get_json()["code"] == "INTERNAL_ERROR"
    assert "broken" not in answer.get_data(as_text=True)
    log = capsys.readouterr().out
    assert "unexpected_error" in log
    assert "a-secret-value" not in log


def test_docs_are_served_from_here(client: FlaskClient) -> None:
    for path in ("/docs", "/redoc"):
        page = client.get(path).get_data(as_text=True)
        assert "http" not in page.replace("http-equiv", "")
    bundle = client.get("/docs/assets/redoc.standalone.js")
    assert b"cdn.redoc.ly" not in bundle.data
    again = client.get("/docs/assets/redoc.standalone.js", headers={"If-None-Match": bundle.headers["ETag"]})
    assert again.status_code == 304
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start-swagger.js", "logo-mini.svg"):
        assert client.get(f"/docs/assets/{name}").status_code == 200
    assert client.get("/docs/assets/../errors.py").status_code == 404
    assert client.get("/docs/assets/nothing.js").status_code == 404
