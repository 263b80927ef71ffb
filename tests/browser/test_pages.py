"""The pages in a real browser, over a real server: what a trader sees, and what must never happen."""

import json
from datetime import UTC, datetime
from urllib.error import HTTPError

import pytest
from playwright.sync_api import expect

from dashboard.navigation import NAVIGATION
from tests.browser.conftest import ADMIN, AXE, KEYS, VIEWER, Visitor, Watched, links, post
from tests.processes import needs

HOOK = f"/api/automated-signals/webhook/{KEYS['WEBHOOK_SECRET']}"
MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
#: WCAG 2.1 A and AA: contrast, names, roles, keyboard
AUDIT = """async () => {
    const told = await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]});
    return told.violations.filter(one => ["serious", "critical"].includes(one.impact))
        .map(one => one.id + ": " + one.nodes.slice(0, 3).map(node => node.html.slice(0, 120)).join(" | "));
}"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def log_in(watched: Watched, key: str) -> None:
    page = watched.open("/dashboard")
    page.get_by_label("Admin key or viewer key").fill(key)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/dashboard")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_silent_accessible_and_asks_nobody_else(at_full: Visitor, scheme: str) -> None:
    needs(AXE.exists(), "axe-core (./dev test fetches it)")
    watched = at_full.page(color_scheme=scheme, reduced_motion="reduce")
    pages = links(watched.open("/dashboard"))
    assert len(pages) == len(NAVIGATION)
    trade = watched.open("/dashboard/trades").locator("td a.id").first.get_attribute("href") or ""
    faults = {}
    more = [f"/dashboard/{name}" for name in ("quarantine", "quarantine/1", "audit", "gaps")]
    for path in [*pages, trade, *more]:
        page = watched.open(path)
        watched.settled()
        page.evaluate(AXE.read_text(encoding="utf-8"))
        faults[path] = [*page.evaluate(AUDIT), *watched.faults]
        watched.faults.clear()
    assert {path: found for path, found in faults.items() if found} == {}


def test_no_page_scrolls_sideways_on_a_phone(at_full: Visitor) -> None:
    watched = at_full.page(viewport={"width": 360, "height": 740})
    pages = links(watched.open("/dashboard"))
    trade = watched.open("/dashboard/trades").locator("td a.id").first.get_attribute("href") or ""
    wide = {}
    for path in [*pages, trade, "/dashboard/quarantine/1", "/dashboard/audit"]:
        watched.open(path)
        watched.settled()
        wide[path] = watched.page.evaluate(SIDEWAYS)
    assert {path: over for path, over in wide.items() if over > 0} == {}


def test_the_menu_of_a_phone_opens_by_keyboard(at_full: Visitor) -> None:
    page = at_full.page(viewport={"width": 360, "height": 740}).open("/dashboard")
    page.locator(".menu summary").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Governance").click()
    expect(page.get_by_role("heading", name="Governance", exact=True)).to_be_visible()


def test_the_api_pages_are_silent_too(at_full: Visitor) -> None:
    watched = at_full.page()
    watched.open("/docs").wait_for_selector(".opblock")
    watched.open("/redoc").wait_for_selector("h1")
    watched.page.wait_for_load_state("networkidle")
    assert watched.faults == []


def test_the_page_stands_before_any_chart_library(at_full: Visitor) -> None:
    watched = at_full.page()
    watched.page.route("**/plotly.min.js", lambda route: route.abort())
    page = watched.open("/dashboard")
    expect(page.get_by_text("Net result")).to_be_visible()
    expect(page.get_by_text("The charts cannot be loaded; the figures are right without them.")).to_be_visible()


def test_the_slider_shows_a_trade_as_it_was(at_full: Visitor) -> None:
    watched = at_full.page()
    watched.open("/dashboard/trades?status=COMPLETED&sort=events").locator("td a.id").first.click()
    page = watched.page
    slider = page.get_by_label("As of")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.get_by_text("This is the trade as it was then")).to_be_visible()
    expect(page.locator(".kpis").get_by_text("active", exact=True)).to_be_visible()
    page.keyboard.press("End")
    expect(page.locator(".kpis").get_by_text("completed", exact=True)).to_be_visible()
    assert watched.faults == []


def test_a_click_in_the_calendar_shows_the_days_trades(at_full: Visitor) -> None:
    watched = at_full.page()
    cell = watched.open("/dashboard/analysis").locator(".calendar td a").first
    trades = cell.locator("small").inner_text()
    cell.click()
    expect(watched.page.locator(".pager")).to_contain_text(f"{trades} shown")


def test_a_stale_page_says_so(at_full: Visitor) -> None:
    watched = at_full.page()
    page = watched.page
    page.clock.install()
    watched.open("/dashboard")
    watched.settled()
    page.route("**/dashboard/today/**", lambda route: route.abort())
    for _ in range(6):
        page.clock.run_for(5_000)
    expect(page.locator("[data-fresh]")).to_contain_text("stale")


def test_the_first_start_the_login_and_the_sample(at_new: Visitor) -> None:
    watched = at_new.page()
    page = watched.open("/dashboard/trades")
    assert "/dashboard/login" in page.url
    log_in(watched, ADMIN)
    expect(page.get_by_text("No alert yet")).to_be_visible()
    page.get_by_role("button", name="Send a sample trade").click()
    page.wait_for_url("**/dashboard/trades/SAMPLE*")
    expect(page.locator(".kpis").get_by_text("completed", exact=True)).to_be_visible()
    assert watched.faults == []


def test_a_wrong_key_is_told_and_a_viewer_changes_nothing(at_keyed: Visitor) -> None:
    watched = at_keyed.page()
    page = watched.open("/dashboard")
    page.get_by_label("Admin key or viewer key").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("neither the admin key nor the viewer key")
    watched.faults.clear()  # the browser itself notes the 401
    log_in(watched, VIEWER)
    page.goto(watched.url + "/dashboard/governance")
    expect(page.get_by_role("button", name="Engage").first).to_be_disabled()
    page.get_by_role("button", name="Log out").last.click()
    page.wait_for_url("**/dashboard/login")
    assert watched.faults == []


def test_an_alert_appears_by_itself_and_its_markup_stays_text(at_keyed: Visitor) -> None:
    watched = at_keyed.page()
    log_in(watched, VIEWER)
    watched.settled()
    body = {"trade_id": "LIVE-1", "event_type": "ENTRY", "direction": "LONG", "entry_price": 100, "stop_loss": 99}
    post(at_keyed.server, HOOK, {**body, "symbol": MARKUP, "strategy_name": MARKUP})
    expect(watched.page.locator(".feed").get_by_text("LIVE-1")).to_be_visible(timeout=5_000)
    for path in ("/dashboard", "/dashboard/trades", "/dashboard/trades/LIVE-1", "/dashboard/analysis"):
        watched.open(path)
        watched.settled()
        assert "owned" not in watched.page.title()
        assert watched.page.locator("main img").count() == 0
    assert watched.faults == []


def test_names_and_numbers_that_charts_and_pages_must_bear(at_keyed: Visitor) -> None:
    key, link, now = {"X-API-Key": KEYS["API_KEY"]}, '<a href="https://there.example/">here</a>', datetime.now(UTC)
    for source in (link, "W" * 100):
        post(at_keyed.server, "/api/capital/intake", {"source": source, "amount": 100}, **key)
    body = {"trade_id": "W" * 100, "event_type": "ENTRY", "direction": "LONG", "entry_price": 100, "stop_loss": 99}
    post(at_keyed.server, HOOK, {**body, "symbol": "W" * 50, "strategy_name": "W" * 100})
    money = {"unrealized_pnl": 0, "realized_pnl": 0, "margin_used": 0, "margin_available": 0, "open_positions_count": 0}
    point = {"kind": "equity", "profile_id": 1, "timestamp": now.isoformat(), "account_equity": -999999999999999.9}
    post(at_keyed.server, "/api/v1/telemetry/ingest", {**point, **money}, **key)
    watched = at_keyed.page()
    log_in(watched, VIEWER)
    for path in ("/dashboard", "/dashboard/trades/" + "W" * 100, "/dashboard/capital", "/dashboard/equity?profile=1"):
        page = watched.open(path)
        watched.settled()
        assert page.locator(".chart svg a").count() == 0
        assert page.evaluate(SIDEWAYS) <= 0, path
    # the only point of a curve is seen, and its axis tells hours
    expect(page.locator(".chart .point").first).to_be_visible()
    assert all("." not in tick for tick in page.locator(".chart .xtick text").all_text_contents())
    assert watched.faults == []


def test_a_change_without_the_pages_token_is_refused(at_keyed: Visitor) -> None:
    watched = at_keyed.page()
    log_in(watched, ADMIN)
    address = "/api/governance/go-live/kill-switch/engage"
    ask = """async (address) => (await fetch(address, {method: "POST", body: '{"actor": "x"}',
        headers: {"Content-Type": "application/json"}})).json()"""
    told = watched.page.evaluate(ask, address)
    assert told["code"] == "CSRF_TOKEN_WRONG"


def test_a_change_after_the_session_ended_says_so(at_keyed: Visitor) -> None:
    watched = at_keyed.page()
    log_in(watched, ADMIN)
    page = watched.open("/dashboard/capital")
    page.context.clear_cookies()
    page.get_by_label("Source", exact=True).fill("BROKER")
    page.get_by_label("Amount, negative for a withdrawal").fill("5")
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#toast")).to_contain_text("no longer logged in")


def test_the_kill_switch_from_the_page(at_keyed: Visitor) -> None:
    watched = at_keyed.page()
    log_in(watched, ADMIN)
    page = watched.open("/dashboard/governance")
    page.get_by_role("button", name="Engage").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Your name").fill("Ada")
    dialog.get_by_label("Reason").fill("a drill")
    dialog.get_by_label("Type ENGAGE to confirm").fill("no")
    dialog.get_by_role("button", name="Engage").click()
    expect(page.get_by_text("Type ENGAGE to confirm.")).to_be_visible()
    dialog.get_by_label("Type ENGAGE to confirm").fill("ENGAGE")
    dialog.get_by_role("button", name="Engage").click()
    expect(page.get_by_text("the kill switch is engaged")).to_be_visible()
    headers = {"X-API-Key": KEYS["API_KEY"]}
    asked = {"engine": "WHOLESALE", "amount": 10, "actor": "test"}
    assert post(at_keyed.server, "/api/governance/risk/check-and-reserve", asked, **headers)["ok"] is False
    page.get_by_role("button", name="Release").first.click()
    dialog = page.get_by_role("dialog")
    for label, text in (("Your name", "Ada"), ("Reason", "the drill is over"), ("Type RELEASE to confirm", "RELEASE")):
        dialog.get_by_label(label).fill(text)
    dialog.get_by_role("button", name="Release").click()
    expect(page.locator(".switch").first.get_by_text("released")).to_be_visible()
    expect(page.get_by_text("the drill is over").first).to_be_visible()
    assert watched.faults == []


def test_a_tripwire_is_set_up_and_changed_from_the_page(at_keyed: Visitor) -> None:
    watched = at_keyed.page()
    log_in(watched, ADMIN)
    page = watched.open("/dashboard/governance")
    page.get_by_role("button", name="Set up a tripwire").click()
    dialog = page.get_by_role("dialog")
    given = (("Your name", "Ada"), ("Reason", "watch fills"), ("Domain", "WHOLESALE"), ("Metric", "fill_rate"))
    for label, text in (*given, ("Trips at a drop of", "2"), ("Type NEW to confirm", "NEW")):
        dialog.get_by_label(label).fill(text)
    dialog.get_by_role("button", name="Set up a tripwire").click()
    expect(dialog.get_by_role("alert")).to_contain_text("max_drop_fraction: must be at most 1")
    watched.faults.clear()  # the browser itself notes the 422
    dialog.get_by_label("Trips at a drop of").fill("0.35")
    dialog.get_by_role("button", name="Set up a tripwire").click()
    row = page.get_by_role("row", name="WHOLESALE fill_rate")
    expect(row).to_contain_text("35.0")
    row.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Armed").select_option("yes")
    wanted = "Type WHOLESALE fill_rate to confirm"
    for label, text in (("Your name", "Ada"), ("Reason", "armed"), (wanted, "WHOLESALE fill_rate")):
        dialog.get_by_label(label).fill(text)
    dialog.get_by_role("button", name="Change").click()
    expect(page.get_by_role("row", name="WHOLESALE fill_rate")).to_contain_text("armed")
    expect(page.get_by_role("row", name="regression.policy").first).to_contain_text("armed")
    assert watched.faults == []


def test_a_quarantined_alert_is_mended_and_replayed(at_keyed: Visitor) -> None:
    with pytest.raises(HTTPError) as refused:
        post(at_keyed.server, HOOK, {"trade_id": "MENDED-1", "event_type": "ENTRY", "entry_price": "a lot"})
    number = json.loads(refused.value.read())["quarantine_id"]
    watched = at_keyed.page()
    log_in(watched, ADMIN)
    page = watched.open(f"/dashboard/quarantine/{number}")
    text = page.locator("#body")
    mended = text.input_value().replace('"a lot"', "100.5")
    text.fill(mended)
    page.get_by_role("button", name="Only read it").click()
    expect(page.get_by_text("Read as direct", exact=True)).to_be_visible()
    page.get_by_role("button", name="Replay this text").click()
    expect(page.locator(".kpis").get_by_text("replayed")).to_be_visible()
    watched.open("/dashboard/trades/MENDED-1")
    expect(page.locator(".kpis").get_by_text("100.5").first).to_be_visible()
    assert watched.faults == []


def test_the_workbench_reads_an_example(at_keyed: Visitor) -> None:
    watched = at_keyed.page()
    log_in(watched, VIEWER)
    page = watched.open("/dashboard/workbench")
    page.get_by_text("An entry, as an alert message").click()
    page.get_by_role("button", name="Take it to the bench").first.click()
    page.get_by_role("button", name="Read it").click()
    expect(page.get_by_text("No warning.")).to_be_visible()
    expect(page.get_by_text("Filled with sample values:")).to_be_visible()
    page.get_by_label("The alert's message").fill('{"tv_instrument": "BTCUSDT", "action": "dance"}')
    page.get_by_role("button", name="Read it").click()
    expect(page.get_by_text("This would be refused")).to_be_visible()
    page.locator("#reading").get_by_text("A 3Commas signal").click()
    page.locator("#reading").get_by_role("button", name="Take it to the bench").click()
    page.get_by_role("button", name="Read it").click()
    expect(page.get_by_text("Read as threecommas", exact=True)).to_be_visible()
    assert watched.faults == []
