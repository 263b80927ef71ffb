"""Pages of other origins: who may read, what they are told, and that a real browser agrees."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, sync_playwright

from errors import SettingsError
from handlers.middleware.cors import allows
from settings import Settings, load
from tests.processes import Server, free_port
from web_server import create_app

METRICS = "/api/v1/metrics/breakout/1"
VERCEL = ("https://*.vercel.app",)


@pytest.mark.parametrize(
    ("origin", "allowed", "expected"),
    [
        ("https://desk.vercel.app", VERCEL, True),
        ("https://desk-2.vercel.app", VERCEL, True),
        ("https://a.b.vercel.app", VERCEL, False),
        ("https://vercel.app", VERCEL, False),
        ("https://.vercel.app", VERCEL, False),
        ("https://desk.vercel.app.evil.example", VERCEL, False),
        ("https://evil.example/.vercel.app", VERCEL, False),
        ("https://evil.example?.vercel.app", VERCEL, False),
        ("https://evil@desk.vercel.app", VERCEL, False),
        ("https://desk.vercel.app:8443", VERCEL, False),
        ("http://desk.vercel.app", VERCEL, False),
        ("https://deskvercel.app", VERCEL, False),
        ("https://-desk.vercel.app", VERCEL, False),
        ("https://desk.vercel.app\n", VERCEL, False),
        ("null", VERCEL, False),
        ("", VERCEL, False),
        ("http://localhost:3000", ("http://localhost:3000",), True),
        ("http://localhost:3001", ("http://localhost:3000",), False),
        ("https://localhost:3000", ("http://localhost:3000",), False),
        ("https://*.vercel.app", VERCEL, False),
        ("https://x.example", (), False),
    ],
)
def test_an_origin_matches_exactly_or_by_one_label(origin: str, allowed: tuple[str, ...], expected: bool) -> None:
    assert allows(origin, allowed) is expected


def test_the_default_origins(settings: Settings) -> None:
    allowed = {"http://localhost:3000", "http://localhost:3001", "https://deltadyno.github.io"}
    for origin in (*allowed, "https://desk.vercel.app", "https://desk.netlify.app"):
        assert allows(origin, settings.cors_origins)
    assert not allows("https://other.github.io", settings.cors_origins)


@pytest.mark.parametrize(
    "text", ["*", "https://*", "https://*.com", "desk.example", "https://a.*.example", "https://x/y"]
)
def test_origins_that_would_match_too_much_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="CORS_ORIGINS holds"):
        load({"CORS_ORIGINS": text})


def test_origins_can_be_set_and_turned_off() -> None:
    assert load({"CORS_ORIGINS": "https://Desk.example, http://127.0.0.1:8000"}).cors_origins == (
        "https://desk.example",
        "http://127.0.0.1:8000",
    )
    assert load({"CORS_ORIGINS": "none"}).cors_origins == ()


@pytest.mark.parametrize("text", ["S1", "S1=x", "=1", "S1=-1", "S1=1, S1=2"])
def test_a_mapping_of_strategies_must_be_readable(text: str) -> None:
    with pytest.raises(SettingsError, match="TELEMETRY_STRATEGY_PROFILES holds"):
        load({"TELEMETRY_STRATEGY_PROFILES": text})


def test_a_mapping_of_strategies() -> None:
    assert load({"TELEMETRY_STRATEGY_PROFILES": "a=b=3, *=4,"}).strategy_profiles == (("a=b", 3), ("*", 4))


@pytest.fixture
def guarded(database_url: str) -> FlaskClient:
    return create_app(load({"DATABASE_URL": database_url, "API_KEY": "api-key-12345"})).test_client()


def test_a_preflight_needs_no_key_and_names_what_is_allowed(guarded: FlaskClient) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-api-key"}
    response = guarded.options(METRICS, headers={"Origin": "https://desk.vercel.app", **asked})
    assert (response.status_code, response.get_data()) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "https://desk.vercel.app"
    assert "X-API-Key" in response.headers["Access-Control-Allow-Headers"]
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response.headers["Vary"]


def test_a_stranger_is_told_nothing(guarded: FlaskClient) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    for response in (guarded.options(METRICS, headers=asked), guarded.get(METRICS, headers=asked)):
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
        assert "Origin" in response.headers["Vary"]


def test_answers_and_refusals_can_be_read(guarded: FlaskClient) -> None:
    origin = {"Origin": "http://localhost:3000"}
    refused = guarded.get(METRICS, headers=origin)
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "http://localhost:3000")
    taken = guarded.get(METRICS, headers={**origin, "X-API-Key": "api-key-12345"})
    assert (taken.status_code, taken.headers["Access-Control-Allow-Origin"]) == (200, "http://localhost:3000")
    assert "X-Next-Cursor" in taken.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("path", ["/api/v1/telemetry/ingest", "/api/automated-signals/stats", "/nowhere"])
def test_other_addresses_stay_closed_to_pages(client: FlaskClient, path: str) -> None:
    asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    response = client.options(path, headers=asked)
    assert "Access-Control-Allow-Origin" not in response.headers


class Quiet(SimpleHTTPRequestHandler):
    """Serves an empty page from another origin."""

    def log_message(self, format: str, *args: Any) -> None:
        return None


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>desk</title>")
    pages = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=pages.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{pages.server_port}"
    pages.shutdown()
    thread.join()
    pages.server_close()


FETCH = """async ([url, key]) => {
    try {
        const answer = await fetch(url, {headers: key ? {"X-API-Key": key} : {}});
        return [answer.status, await answer.text()];
    } catch (error) { return [0, String(error)]; }
}"""


def fetched(page: Page, url: str, key: str | None) -> tuple[int, str]:
    status, text = page.evaluate(FETCH, [url, key])
    return status, text


def test_a_browser_reads_from_an_allowed_origin_alone(elsewhere: str, database_url: str, tmp_path: Path) -> None:
    chromium = which("chromium")
    if chromium is None:
        pytest.fail("this machine lacks Chromium: apt-get install chromium")
    keys = {"API_KEY": "api-key-12345", "DATABASE_URL": database_url}
    stranger = f"http://localhost:{elsewhere.rpartition(':')[2]}"
    one = Server(tmp_path / "data", {**keys, "CORS_ORIGINS": elsewhere}, port=free_port())
    try:
        one.start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"], chromium_sandbox=False
            )
            page = browser.new_page()
            page.goto(elsewhere)
            status, text = fetched(page, one.url + METRICS, "api-key-12345")
            assert (status, json.loads(text)["total_trades"]) == (200, 0)
            assert fetched(page, one.url + METRICS, "wrong-key-123")[0] == 401
            assert fetched(page, one.url + METRICS, None)[0] == 401
            # not marked for other origins
            assert fetched(page, one.url + "/api/automated-signals/stats", "api-key-12345")[0] == 0
            page.goto(stranger)
            assert fetched(page, one.url + METRICS, "api-key-12345")[0] == 0
            browser.close()
    finally:
        one.end()
