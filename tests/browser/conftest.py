"""A real server and a real browser for the pages, and what every page must hold to."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from playwright.sync_api import Request as Asked

from tests.processes import Server, needs, server

AXE = Path(sys.prefix) / "axe" / "axe.min.js"
#: A machine with much else to do takes its time.
expect.set_options(timeout=20_000)
ADMIN, VIEWER = "admin-key-1234", "viewer-key-1234"
KEYS = {
    "WEBHOOK_SECRET": "webhook-secret-1",
    "API_KEY": "api-key-1234",
    "ADMIN_KEY": ADMIN,
    "VIEWER_KEY": VIEWER,
    "INTERNAL_TOKEN": "internal-token-1",
    "SESSION_SECRET": "a session secret of some length",
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    chromium = which("chromium") or which("chromium-browser") or which("google-chrome")
    needs(chromium, "Chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"], chromium_sandbox=False
        )
        yield one
        one.close()


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over the demo's data, open on loopback."""
    command = (sys.executable, "-m", "demo")
    with server(tmp_path_factory.mktemp("demo"), command=command) as one:
        yield one


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with every key set."""
    with server(tmp_path_factory.mktemp("keyed"), environment=KEYS) as one:
        yield one


@dataclass
class Watched:
    """A page, and all that it should not have done."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def settled(self) -> None:
        """Wait until every chart is drawn and every part has come."""
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('.chart')].every(one => one.querySelector('.main-svg'))"
            " && ![...document.querySelectorAll('[data-live] > .waiting')].length"
        )


@dataclass
class Visitor:
    """Opens pages of one server in a fresh profile and watches them."""

    browser: Browser
    server: Server
    opened: list[Watched] = field(default_factory=list)

    def page(self, **options: object) -> Watched:
        context = self.browser.new_context(**options)  # type: ignore[arg-type]
        watched = Watched(context.new_page(), self.server.url)
        watched.page.set_default_timeout(20_000)

        def heard(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                watched.faults.append(message.text)

        def asked(request: Asked) -> None:
            if not request.url.startswith((self.server.url, "data:", "blob:")):
                watched.faults.append(f"asked {request.url}")

        watched.page.on("console", heard)
        watched.page.on("pageerror", lambda error: watched.faults.append(str(error)))
        watched.page.on("request", asked)
        self.opened.append(watched)
        return watched

    def close(self) -> None:
        for watched in self.opened:
            watched.page.context.close()


@pytest.fixture
def at_full(browser: Browser, full: Server) -> Iterator[Visitor]:
    visitor = Visitor(browser, full)
    yield visitor
    visitor.close()


@pytest.fixture
def at_keyed(browser: Browser, keyed: Server) -> Iterator[Visitor]:
    visitor = Visitor(browser, keyed)
    yield visitor
    visitor.close()


@pytest.fixture
def at_new(browser: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """On a server with every key set and nothing in it."""
    with server(tmp_path / "data", environment=KEYS) as one:
        visitor = Visitor(browser, one)
        yield visitor
        visitor.close()


def post(server: Server, path: str, body: object, **headers: str) -> dict[str, object]:
    """Send JSON from outside the browser; a refusal answers its error body."""
    request = Request(server.url + path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
    with urlopen(request, timeout=10) as answer:
        told: dict[str, object] = json.loads(answer.read())
        return told


def links(page: Page) -> list[str]:
    """The pages of the navigation, in its order."""
    found = re.findall(r'href="(/dashboard[^"]*)"', page.locator("nav").last.inner_html())
    return list(dict.fromkeys(found))
