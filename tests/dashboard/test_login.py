"""People's sessions: who gets one, what it opens, and what it does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from settings import load
from web_server import create_app

ADMIN, VIEWER, API = "admin-key-1234", "viewer-key-1234", "api-key-1234"
KEYS = {
    "WEBHOOK_SECRET": "webhook-secret-1",
    "API_KEY": API,
    "ADMIN_KEY": ADMIN,
    "VIEWER_KEY": VIEWER,
    "INTERNAL_TOKEN": "internal-token-1",
    "SESSION_SECRET": "a session secret of some length",
}


def client_of(database_url: str, folder: Path, **keys: str) -> FlaskClient:
    return create_app(load({"DATABASE_URL": database_url, "ALERTBOOK_DATA_DIR": str(folder), **keys})).test_client()


@pytest.fixture
def keyed(database_url: str, tmp_path: Path) -> Iterator[FlaskClient]:
    yield client_of(database_url, tmp_path, **KEYS)


def log_in(client: FlaskClient, key: str) -> int:
    return client.post("/dashboard/login", data={"key": key}).status_code


def token(client: FlaskClient) -> str:
    return client.get("/dashboard").text.split('data-csrf="')[1].split('"')[0]


def test_without_a_login_every_page_leads_to_it(keyed: FlaskClient) -> None:
    answer = keyed.get("/dashboard/trades?symbol=MNQ1!")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/dashboard/login?next=")
    assert keyed.get("/dashboard/today/feed", headers={"X-Part": "1"}).status_code == 401
    assert keyed.post("/dashboard/workbench", data="{}").status_code == 401


def test_looking_without_a_login_is_no_attack(keyed: FlaskClient) -> None:
    assert {keyed.get("/dashboard").status_code for _ in range(40)} == {303}


def test_the_viewer_reads_and_changes_nothing(keyed: FlaskClient) -> None:
    assert log_in(keyed, VIEWER) == 303
    assert keyed.get("/dashboard").status_code == 200
    assert keyed.get("/api/automated-signals/stats").status_code == 200
    headers = {"X-CSRF-Token": token(keyed)}
    assert keyed.post("/dashboard/sample", headers=headers).status_code == 403
    assert keyed.post("/api/v1/quarantine/1/discard", json={"reason": "x"}, headers=headers).status_code == 403
    refused = keyed.get("/dashboard/quarantine")
    assert refused.status_code == 403
    assert "takes the admin key" in refused.text


def test_the_admin_changes_with_the_pages_token_only(keyed: FlaskClient) -> None:
    assert log_in(keyed, ADMIN) == 303
    refused = keyed.post("/dashboard/sample")
    assert refused.status_code == 403
    assert "token" in refused.text
    assert keyed.post("/dashboard/sample", headers={"X-CSRF-Token": "wrong"}).status_code == 403
    assert keyed.post("/dashboard/sample", headers={"X-CSRF-Token": token(keyed)}).status_code == 200


def test_an_api_change_by_session_needs_the_token_too(keyed: FlaskClient) -> None:
    log_in(keyed, ADMIN)
    refused = keyed.post("/api/v1/quarantine/1/discard", json={"reason": "x"})
    assert (refused.status_code, (refused.json or {})["code"]) == (403, "CSRF_TOKEN_WRONG")
    right = {"X-CSRF-Token": token(keyed)}
    assert keyed.post("/api/v1/quarantine/1/discard", json={"reason": "x"}, headers=right).status_code == 404


def test_the_cookie_is_kept_from_scripts_and_other_sites(keyed: FlaskClient) -> None:
    answer = keyed.post("/dashboard/login", data={"key": ADMIN}, headers={"X-Forwarded-Proto": "https"})
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Secure", "Path=/"):
        assert part in cookie
    assert ADMIN not in cookie


def test_a_wrong_key_is_counted_like_any_wrong_key(keyed: FlaskClient) -> None:
    answers = [log_in(keyed, "not-the-key") for _ in range(31)]
    assert answers[:30] == [401] * 30
    assert answers[30] == 429
    assert log_in(keyed, ADMIN) == 303


def test_a_session_ends_with_its_key(database_url: str, tmp_path: Path, keyed: FlaskClient) -> None:
    log_in(keyed, ADMIN)
    cookie = keyed.get_cookie("alertbook_session")
    assert cookie is not None
    for changed, status in (({}, 200), ({"ADMIN_KEY": "another-key-1"}, 303), ({"SESSION_SECRET": "another"}, 303)):
        other = client_of(database_url, tmp_path, **{**KEYS, **changed})
        other.set_cookie("alertbook_session", cookie.value)
        assert other.get("/dashboard").status_code == status


def test_a_forged_cookie_opens_nothing(keyed: FlaskClient) -> None:
    for value in ("", "x", "W10.x.y", '["admin","x","y"]'):
        keyed.set_cookie("alertbook_session", value)
        assert keyed.get("/dashboard").status_code == 303


def test_logging_out_ends_it(keyed: FlaskClient) -> None:
    log_in(keyed, VIEWER)
    assert keyed.post("/dashboard/logout").status_code == 403
    assert keyed.post("/dashboard/logout", headers={"X-CSRF-Token": token(keyed)}).status_code == 204
    assert keyed.get("/dashboard").status_code == 303


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("/dashboard/trades?symbol=A", "/dashboard/trades?symbol=A"),
        ("https://example.com/", "/dashboard"),
        ("//example.com/dashboard", "/dashboard"),
        ("/dashboard\\..\\x", "/dashboard"),
        ("/api/x", "/dashboard"),
    ],
)
def test_the_login_leads_only_to_pages_of_ours(keyed: FlaskClient, wanted: str, given: str) -> None:
    answer = keyed.post("/dashboard/login", query_string={"next": wanted}, data={"key": ADMIN})
    assert answer.headers["Location"] == given


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_cannot_log_its_visitor_in(keyed: FlaskClient, headers: dict[str, str]) -> None:
    answer = keyed.post("/dashboard/login", data={"key": ADMIN}, headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_without_a_session_secret_nobody_logs_in_and_the_page_says_why(database_url: str, tmp_path: Path) -> None:
    keys = {name: key for name, key in KEYS.items() if name != "SESSION_SECRET"}
    client = client_of(database_url, tmp_path, **keys)
    assert "SESSION_SECRET is unset" in client.get("/dashboard/login").text
    assert log_in(client, ADMIN) == 503


def test_on_loopback_without_keys_it_is_open_and_says_so(client: FlaskClient) -> None:
    assert "No ADMIN_KEY is set" in client.get("/dashboard").text
    assert "nobody needs to log in" in client.get("/dashboard/login").text
    assert client.post("/dashboard/sample").status_code == 200
