"""What the database renders is what the API would show of the same event, digit by digit."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from database import renderings
from database.pool import Pool
from settings import Settings
from state import jsontext
from state.shown import event_as_dict
from tests.conftest import run_sql
from tests.handlers.test_reads import book, get
from tests.handlers.test_signals import post
from tests.handlers.test_trades import alert

__all__ = ["book"]

PAYLOADS = Path(__file__).resolve().parents[2] / "test_payloads"


@pytest.fixture
def pool(settings: Settings) -> Iterator[Pool]:
    made = Pool(str(settings.database_url), 2)
    yield made
    made.close()


def rendered(pool: Pool) -> list[tuple[Any, Any]]:
    """Each stored event, as the database renders it and as Python shows it."""
    from database.queries import QUERIES
    from database.rows import to_event

    with pool.transaction() as connection:
        rows = list(QUERIES.signals.select_recent_events(connection, since="2000-01-01", limit=10_000))
        texts = renderings.select_texts(connection, [(row.trade_id, row.id) for row in rows])
    return [(texts[row.id], jsontext.dump(event_as_dict(to_event(row)))) for row in rows]


def exact(text: str) -> Any:
    """JSON in which every number is its very digits."""
    return json.loads(text, parse_float=str, parse_int=str)


def test_every_payload_is_rendered_as_it_would_be_shown(book: FlaskClient, pool: Pool) -> None:
    for path in sorted(PAYLOADS.rglob("*.json")):
        if not path.name.endswith(".expected.json"):
            book.post("/api/automated-signals/webhook", data=path.read_bytes())
    digits = {"entry_price": Decimal("1.08345"), "mfe_R": Decimal("0.1234567890123456789"), "x": Decimal("0.00001234")}
    post(book, alert('o"\\ddé\u2028', "ENTRY", "2025-11-20T14:30:00.120Z", direction="LONG", **digits))
    run_sql(
        str(pool.url),
        "INSERT INTO automated_signals (trade_id, event_type, mfe, targets, target_1r) VALUES"
        " ('2,025', NULL, 'NaN', '[1]', 1.50), ('old', 'EXIT_SL', 'Infinity', NULL, 'NaN')",
    )
    pairs = rendered(pool)
    assert len(pairs) > 150
    for ours, shown in pairs:
        assert exact(ours) == exact(shown)


def test_a_long_trade_shows_what_came_a_moment_ago(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderings, "WORTH_KEEPING", 3)
    url = str(client.application.extensions["alertbook"].pool.url)

    def shown() -> list[Any]:
        found = get(client, "trade/t")
        assert found["trade"]["event_count"] == len(found["events"])
        return [(event["event_timestamp"][14:16], event["mfe"]) for event in found["events"]]

    for minute in (10, 20, 30, 40):
        post(client, alert("t", "MFE_UPDATE", f"2025-11-20T14:{minute}:00Z", mfe_R=minute))
        assert shown()[-1] == (str(minute), minute)
    # one that comes late stands in its place
    post(client, alert("t", "MFE_UPDATE", "2025-11-20T14:15:00Z", mfe_R=15))
    assert [minute for minute, _ in shown()] == ["10", "15", "20", "30", "40"]
    # and a row that somebody mended by hand is shown mended
    run_sql(url, "UPDATE automated_signals SET mfe = 7 WHERE mfe = 40")
    assert shown()[-1] == ("40", 7)
    run_sql(url, "DELETE FROM automated_signals WHERE mfe = 7; INSERT INTO trade_dirty (trade_id) VALUES ('t')")
    assert [minute for minute, _ in shown()] == ["10", "15", "20", "30"]


def test_events_come_in_the_order_asked_and_what_is_gone_is_left_out(client: FlaskClient, pool: Pool) -> None:
    for minute in (10, 20, 30):
        post(client, alert("t", "MFE_UPDATE", f"2025-11-20T14:{minute}:00Z", mfe_R=minute))
    follow = get(client, "events?limit=2")
    assert [event["mfe"] for event in follow["items"]] == [10, 20]
    run_sql(str(pool.url), "DELETE FROM automated_signals WHERE mfe = 20")
    # the place of a deleted event counts: the page is shorter, and what comes after it is not passed over
    follow = get(client, "events?limit=2")
    assert ([event["mfe"] for event in follow["items"]], follow["more"]) == ([10], True)
    follow = get(client, f"events?limit=2&cursor={follow['next_cursor']}")
    assert ([event["mfe"] for event in follow["items"]], follow["more"]) == ([30], False)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderings, "KEPT_BYTES", 10)
    kept = renderings._Kept()
    kept.put(("u", "a"), "1.1", b"12345")
    kept.put(("u", "b"), "2.1", b"12345")
    assert kept.get(("u", "a")) == ("1.1", b"12345")
    kept.put(("u", "b"), "2.1,3.1", b"123456")
    assert (kept.get(("u", "a")), kept.get(("u", "b"))) == (("", b""), ("2.1,3.1", b"123456"))
    kept.put(("u", "c"), "4.1", b"12345678901")
    assert (kept.get(("u", "b")), kept.get(("u", "c"))) == (("", b""), ("", b""))


def test_older_code_that_folds_beside_us_is_noticed(client: FlaskClient) -> None:
    for minute in (10, 20):
        post(client, alert("t", "MFE_UPDATE", f"2025-11-20T14:{minute}:00Z", mfe_R=minute))
    assert len(get(client, "trade/t")["events"]) == 2
    post(client, alert("t", "MFE_UPDATE", "2025-11-20T14:30:00Z", mfe_R=30))
    run_sql(
        str(client.application.extensions["alertbook"].pool.url),
        "UPDATE trade_summary SET trade = replace(trade::text, '\"event_count\":2', '\"event_count\":3')::json,"
        " event_count = 3; DELETE FROM trade_dirty",
    )
    assert len(get(client, "trade/t")["events"]) == 3
