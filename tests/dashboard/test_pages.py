"""The pages over a real database: what stands on them, in every state."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboard.navigation import NAVIGATION
from handlers.middleware.access import declared

WEBHOOK = "/api/automated-signals/webhook"
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def send(client: FlaskClient, **body: Any) -> dict[str, Any]:
    given = {"trade_id": "T1", "event_type": "ENTRY", "direction": "LONG", "entry_price": 100, "stop_loss": 99, **body}
    answer = client.post(WEBHOOK, data=json.dumps(given))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json or {}
    return told


def trade(client: FlaskClient, number: int, exit_price: float, *, minutes_ago: int = 60) -> None:
    start = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    told = {"trade_id": f"T{number}", "symbol": "MNQ1!", "strategy_id": "S1"}
    send(client, **told, timestamp=start.isoformat())
    at = (start + timedelta(minutes=10)).isoformat()
    send(client, **told, event_type="EXIT_MANUAL", exit_price=exit_price, timestamp=at, be_mfe=2, no_be_mfe=2)


def text(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return unescape(answer.text)


@pytest.fixture
def traded(client: FlaskClient) -> FlaskClient:
    for number, price in enumerate((102.0, 99.0, 101.5, 100.0, 99.0, 103.0)):
        trade(client, number, price, minutes_ago=600 - 60 * number)
    return client


def paths(app: Flask) -> list[str]:
    with app.test_request_context():
        return [app.url_for(endpoint) for endpoint, _, _ in NAVIGATION]


def test_every_page_opens_on_an_empty_database_and_links_to_all_others(app: Flask, client: FlaskClient) -> None:
    pages = paths(app)
    for path in pages:
        body = client.get(path).text
        for other in pages:
            assert f'href="{other}"' in body, (path, other)


def test_every_page_opens_on_a_full_database(app: Flask, traded: FlaskClient) -> None:
    for path in paths(app):
        assert traded.get(path).status_code == 200


def test_pages_keep_out_foreign_scripts_and_caches(client: FlaskClient) -> None:
    answer = client.get("/dashboard")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert " style=" not in answer.text
    assert "<script>" not in answer.text


def test_every_route_of_the_pages_declares_who_may_see_it(app: Flask) -> None:
    mine = [rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("dashboard.")]
    assert len(mine) > 10
    assert all(declared(app, endpoint) for endpoint in mine)


def test_a_browser_is_sent_to_the_dashboard_and_curl_is_not(client: FlaskClient) -> None:
    answer = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard")
    assert client.get("/", headers={"Accept": "*/*"}).json is not None


def test_the_first_start_shows_the_way(client: FlaskClient) -> None:
    shown = text(client, "/dashboard")
    assert "No alert yet" in shown
    assert "curl -X POST http://localhost/api/automated-signals/webhook -d" in shown
    line = shown.split("-d '")[1].split("'")[0]
    assert client.post(WEBHOOK, data=line).status_code == 200
    assert "No alert yet" not in text(client, "/dashboard")


def test_the_sample_button_makes_a_whole_trade(client: FlaskClient) -> None:
    made = client.post("/dashboard/sample").json or {}
    shown = text(client, made["go"])
    assert "completed" in shown
    assert "+2.00\u00a0R" in shown
    assert "What is odd" not in shown


def test_today_shows_what_the_api_says(traded: FlaskClient) -> None:
    stats = (traded.get("/api/automated-signals/stats").json or {})["stats"]
    shown = text(traded, "/dashboard")
    assert f"{stats['win_rate']:.1f}\u00a0%" in shown
    assert "+4.50\u00a0R" in shown  # 2 - 1 + 1.5 + 0 - 1 + 3
    assert stats["win_rate_n"] == 6
    assert "n = 6" in shown


def test_today_keeps_realised_and_unrealised_apart(traded: FlaskClient) -> None:
    send(traded, trade_id="OPEN", timestamp=datetime.now(UTC).isoformat())
    send(traded, trade_id="OPEN", event_type="MFE_UPDATE", current_price=100.75, be_mfe=0.8, no_be_mfe=0.8)
    shown = text(traded, "/dashboard")
    assert "+0.75\u00a0R" in shown
    assert "unrealised" in shown
    assert "+4.50\u00a0R" in shown
    assert re.search(r'Unrealised</span><span class="value good">\+0\.75', text(traded, "/dashboard/trades/OPEN"))
    assert "Unrealised" not in text(traded, "/dashboard/trades/T0")


def test_the_feed_tells_accepted_repeated_and_quarantined(client: FlaskClient) -> None:
    at = datetime.now(UTC).isoformat()
    send(client, timestamp=at)
    send(client, timestamp=at)
    client.post(WEBHOOK, data='{"trade_id": "T2", "event_type": "NONSENSE"}')
    answer = client.get("/dashboard/today/feed")
    for kind in ("k-accepted", "k-duplicate", "k-quarantined"):
        assert kind in answer.text
    again = client.get("/dashboard/today/feed", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_trades_are_filtered_and_sorted(traded: FlaskClient) -> None:
    def ids(query: str) -> list[str]:
        shown = traded.get(f"/dashboard/trades?{query}").text
        return re.findall(r'class="id" title="[^"]+" href="[^"]+">([^<]+)<', shown)

    assert ids("") == ["T5", "T4", "T3", "T2", "T1", "T0"]
    assert ids("sort=r")[:3] == ["T5", "T0", "T2"]
    assert ids("sort=r&up=1")[0] in ("T1", "T4")
    assert ids("sort=time&up=1")[0] == "T0"
    assert ids("symbol=ES1!") == []
    assert "No trade passes these filters" in traded.get("/dashboard/trades?symbol=ES1!").text


def test_a_wrong_filter_is_an_error_page(client: FlaskClient) -> None:
    shown = text(client, "/dashboard/trades?from=yesterday", 422)
    assert "not a date" in shown
    assert '<a class="button" href="/dashboard/trades">The same page without these filters' in shown
    assert text(client, "/dashboard/nothing-here", 404)
    assert "There is no trade with this id" in text(client, "/dashboard/trades/NOBODY", 404)


def test_one_trade_as_it_was(traded: FlaskClient) -> None:
    shown = text(traded, "/dashboard/trades/T0")
    assert "+2.00\u00a0R" in shown
    assert "exit manual" in shown
    assert '"entry_price": 100' in shown
    moments = shown.split('data-moments="')[1].split('"')[0].split(" ")
    assert len(moments) == 2
    answer = traded.get("/dashboard/trade-state", query_string={"trade_id": "T0", "as_of": moments[0]})
    assert "active" in answer.text
    assert "This is the trade as it was then" in answer.text


def test_an_anomaly_is_told_in_words(client: FlaskClient) -> None:
    send(client, event_type="EXIT_STOP_LOSS", exit_price=99)
    assert "An exit is known, but no entry" in text(client, "/dashboard/trades/T1")


def test_markup_in_an_alert_stays_text(client: FlaskClient) -> None:
    send(client, symbol=MARKUP, strategy_name=MARKUP, comment=MARKUP, session=MARKUP)
    client.post(WEBHOOK, data=json.dumps({"trade_id": MARKUP, "event_type": MARKUP}))
    for path in (
        "",
        "/trades",
        "/trades/T1",
        "/analysis",
        "/intake",
        "/today/feed",
        "/today/state",
        "/quarantine",
        "/quarantine/1",
    ):
        shown = client.get(f"/dashboard{path}").text
        assert "<script>alert" not in shown, path
        assert "<img" not in shown, path
    assert "<script>alert" not in client.post("/dashboard/workbench", data=json.dumps({"trade_id": MARKUP})).text


def test_analysis_tells_its_sample_or_that_there_are_not_enough(traded: FlaskClient) -> None:
    shown = text(traded, "/dashboard/analysis")
    assert "n = 6" in shown
    assert "not enough trades yet" in shown  # 20 are needed for the rolling mean
    assert "+0.75\u00a0R" in shown  # 4.5 R over 6 trades


def test_the_calendar_has_whole_weeks(traded: FlaskClient) -> None:
    shown = traded.get("/dashboard/analysis").text
    calendar = shown.split('<table class="calendar">')[1].split("</table>")[0]
    rows = calendar.split("<tr>")[2:]
    assert all(row.count("<td") == 7 for row in rows)


def test_the_workbench_stores_nothing_and_names_every_fault(client: FlaskClient) -> None:
    wrong = '{"trade_id": "T1", "event_type": "ENTRY", "entry_price": "x", "stop_loss": "y"}'
    shown = unescape(client.post("/dashboard/workbench", data=wrong).text)
    assert "This would be refused" in shown
    assert "entry_price" in shown
    assert "stop_loss" in shown
    client.post("/dashboard/workbench", data='{"trade_id": "T1", "event_type": "ENTRY", "entry_price": 1}')
    assert "No alert yet" in text(client, "/dashboard")
    assert (client.get("/api/v1/quarantine").json or {})["items"] == []


def test_the_message_that_the_workbench_offers_says_the_same(client: FlaskClient) -> None:
    given = '{"trade_id": "T1", "event_type": "ENTRY", "direction": "LONG", "entry_price": 100.10, "stop_loss": 99}'
    shown = unescape(client.post("/dashboard/workbench", data=given).text)
    message = shown.split("says the same in full")[1].split("<code>")[1].split("</code>")[0]
    answer = client.post(WEBHOOK, data=message)
    assert answer.status_code == 200
    told = (client.get("/api/automated-signals/trade/T1").json or {})["trade"]
    assert (str(told["entry_price"]), told["direction"]) == ("100.10", "Bullish")


def test_a_quarantined_alert_is_shown_with_what_is_wrong(client: FlaskClient) -> None:
    answer = client.post(WEBHOOK, data='{"trade_id": "T1", "event_type": "ENTRY", "entry_price": "a lot"}')
    shown = text(client, f"/dashboard/quarantine/{(answer.json or {})['quarantine_id']}")
    assert "entry_price" in shown
    assert '"a lot"' in shown
    assert "Replay this text" in shown
    assert text(client, "/dashboard/quarantine/999", 404)


def test_assets_are_kept_for_ever_under_their_own_address(client: FlaskClient) -> None:
    address = client.get("/dashboard").text.split('<link rel="stylesheet" href="')[1].split('"')[0]
    answer = client.get(address, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Cache-Control"].endswith("immutable")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert client.get(address.replace("dashboard.css", "../pages.py")).status_code == 404
    assert client.get("/dashboard/assets/000000000000/dashboard.css").status_code == 404


def test_the_chart_library_is_offered_only_where_something_is_drawn(client: FlaskClient) -> None:
    assert "plotly.min.js" in client.get("/dashboard").text
    assert "plotly" not in client.get("/dashboard/trades").text


def fill(client: FlaskClient, minutes_ago: int, action: str, price: str, became: str) -> dict[str, Any]:
    """Send an order fill of a strategy that is long two or flat."""
    size = "2" if became == "long" else "0"
    body = {
        "ticker": "MNQ1!", "action": action, "price": price, "contracts": "2", "strategy": "Swing Two",
        "market_position": became, "market_position_size": size, "position_size": size,
        "prev_market_position": "flat" if became == "long" else "long",
        "prev_market_position_size": "0" if became == "long" else "2",
        "time": (datetime.now(UTC) - timedelta(minutes=minutes_ago)).isoformat(),
    }  # fmt: skip
    assert client.post(WEBHOOK, data=json.dumps(body)).status_code == 200
    return body


def test_an_alert_that_never_came_is_shown(client: FlaskClient) -> None:
    assert "No gap" in text(client, "/dashboard/intake")
    fill(client, 60, "buy", "100", "long")
    fill(client, 50, "sell", "104.5", "flat")
    fill(client, 20, "sell", "106", "flat")
    for path in ("/dashboard/intake", "/dashboard/gaps"):
        shown = text(client, path)
        assert "Swing Two, MNQ1!" in shown
        assert "long 2" in shown
        assert shown.count('data-label="Expected">flat<') == 1
    fill(client, 30, "buy", "103", "long")
    assert "No gap" in text(client, "/dashboard/gaps")


def test_a_trade_of_position_alerts_is_shown_in_points(client: FlaskClient) -> None:
    fill(client, 60, "buy", "100", "long")
    body = fill(client, 55, "sell", "104.5", "flat")
    shown = traded_page = text(client, "/dashboard/trades")
    assert "+9.00\u00a0pts" in shown
    address = re.findall(r'class="id" title="[^"]+" href="([^"]+)"', traded_page)[0]
    assert "+9.00\u00a0pts" in text(client, address)
    read = unescape(client.post("/dashboard/workbench", data=json.dumps(body)).text)
    assert "Read as order" in read
