"""The reads, each on believable data and on an empty database."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
from flask.testing import FlaskClient

from settings import Settings, load
from state.jsontext import parse
from tests.conftest import run_sql
from tests.handlers.test_signals import post, read_json
from tests.handlers.test_trades import alert, send_trade
from web_server import create_app

BASE = "/api/automated-signals"
MONDAY = datetime(2025, 11, 3, 14, 30, tzinfo=UTC)


def get(client: FlaskClient, path: str, **kwargs: Any) -> Any:
    response = client.get(f"{BASE}/{path}", **kwargs)
    assert response.status_code == 200, response.get_data(as_text=True)
    return read_json(response)


def _side(size: int) -> str:
    return "flat" if size == 0 else "long" if size > 0 else "short"


def order(minute: int, action: str, before: int, after: int, price: Any, **more: Any) -> dict[str, Any]:
    """An order alert with the position before and after it, as signed sizes."""
    return {
        "ticker": "NQ1!", "exchange": "CME_MINI", "interval": "5", "strategy_name": "EMA Cross", "action": action,
        "contracts": abs(after - before), "price": price, "market_position": _side(after),
        "market_position_size": abs(after), "prev_market_position": _side(before),
        "prev_market_position_size": abs(before),
        "timenow": (MONDAY + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z"), **more,
    }  # fmt: skip


@pytest.fixture
def book(client: FlaskClient) -> FlaskClient:
    """A month: a trade a day, position trades among them, and all that can be wrong."""
    for day in range(3, 29):
        exit_event = ("EXIT_TAKE_PROFIT", "EXIT_STOP_LOSS", "EXIT_BREAK_EVEN")[day % 3]
        send_trade(client, f"t{day}", f"2025-11-{day:02d}", exit_event, symbol="NQ1!", strategy_id="S1")
    for number, (before, after) in enumerate([(0, 2), (2, 1), (1, -1), (-1, 0)]):
        post(client, order(number * 10, "buy" if after > before else "sell", before, after, 20000 + 10 * number))
    post(client, alert("twice", "ENTRY", "2025-11-10T15:00:00Z", direction="LONG", entry_price=1, stop_loss=2))
    post(client, alert("twice", "ENTRY", "2025-11-10T15:01:00Z", direction="LONG", entry_price=1, stop_loss=2))
    post(client, alert("orphan", "EXIT_STOP_LOSS", "2025-11-11T15:01:00Z"))
    post(client, alert("lost", "MFE_UPDATE", "2025-11-11T15:01:00Z", mfe_R=1))
    post(client, alert("early", "EXIT_STOP_LOSS", "2025-11-11T15:01:00Z"))
    post(client, alert("early", "ENTRY", "2025-11-11T15:02:00Z", direction="LONG", entry_price=2, stop_loss=1))
    return client


EVENTS = 26 * 3 + 4 + 2 + 1 + 1 + 2

READS = [
    "stats", "stats-live", "dashboard-data", "hub-data", "integrity-report", "gaps", "events", "telemetry", "trades",
    "recent", "deletions",
]  # fmt: skip


@pytest.mark.parametrize("path", READS)
def test_every_read_answers_on_an_empty_database(client: FlaskClient, path: str) -> None:
    assert get(client, path)["success"] is True


@pytest.mark.parametrize("path", READS)
def test_every_read_answers_on_a_month(book: FlaskClient, path: str) -> None:
    assert get(book, path)["success"] is True


def test_live_statistics_are_never_cached(book: FlaskClient) -> None:
    response = book.get(f"{BASE}/stats-live")
    assert response.headers["Cache-Control"] == "no-store"
    stats = read_json(response)["stats"]
    assert stats == get(book, "stats")["stats"]
    assert (stats["total_signals"], stats["completed_count"], stats["uncertain_count"]) == (EVENTS, 26 + 2 + 2, 0)
    # 9 took profit, the other 17 ended at 90; of the position trades one won; orphan and early are stop losses
    assert (stats["win_count"], stats["loss_count"]) == (9 + 1, 17 + 1 + 2)


def test_dashboard_data(book: FlaskClient) -> None:
    data = get(book, "dashboard-data")
    assert set(data) >= {"active_trades", "completed_trades", "stats", "hourly_distribution", "session_breakdown"}
    assert [trade["trade_id"] for trade in data["active_trades"]] == ["twice"]
    assert data["hourly_distribution"] == {"9": 26 + 2, "10": 4}
    session = data["session_breakdown"]["NY AM"]
    assert (session["count"], session["avg_mfe"]) == (32, Decimal(26 * Decimal("1.5") + 1) / 27)


def test_empty_dashboard_data(client: FlaskClient) -> None:
    data = get(client, "dashboard-data")
    assert (data["active_trades"], data["hourly_distribution"], data["session_breakdown"]) == ([], {}, {})


def test_hub_data_by_new_york_day(book: FlaskClient) -> None:
    data = get(book, "hub-data?start_date=2025-11-04&end_date=2025-11-05")
    assert data["calendar"] == [
        {
            "date": f"2025-11-0{day}", "trade_count": 1, "avg_be_mfe_R": Decimal("1.5"),
            "avg_no_be_mfe_R": Decimal("1.5"), "avg_max_mfe_R": Decimal("1.5"), "total_r": total,
        }
        for day, total in ((4, -1), (5, -1))
    ]  # fmt: skip
    assert [(trade["date"], trade["trade_id"]) for trade in data["trades"]] == [
        ("2025-11-05", "t5"),
        ("2025-11-04", "t4"),
    ]
    assert len(get(book, "hub-data?status=COMPLETED&direction=LONG&session=NY%20AM")["trades"]) == 26 + 1 + 1
    first = get(book, "hub-data?limit=20")
    rest = get(book, f"hub-data?limit=20&cursor={first['next_cursor']}")
    assert (len(first["trades"]), len(rest["trades"]), rest["next_cursor"]) == (20, 12, None)


@pytest.mark.parametrize(
    "query", ["start_date=soon", "end_date=2025-13-01", "session=TOKYO", "status=OPEN", "direction=up"]
)
def test_hub_data_names_bad_parameters(client: FlaskClient, query: str) -> None:
    response = client.get(f"{BASE}/hub-data?{query}")
    assert response.status_code == 422
    assert read_json(response)["details"][0]["field"] == query.partition("=")[0]


def test_integrity_report(book: FlaskClient, database_url: str) -> None:
    run_sql(database_url, "INSERT INTO automated_signals (trade_id, event_type) VALUES ('2,025', 'ENTRY')")
    report = get(book, "integrity-report?limit=5000")
    assert (report["total_events"], report["total_trades"], report["limit"]) == (EVENTS + 1, 33, 5000)
    assert report["issues"] == {
        "multiple_entry_trades": {"count": 1, "sample": ["twice"]},
        "exit_without_entry_trades": {"count": 1, "sample": ["orphan"]},
        "mfe_without_entry_trades": {"count": 1, "sample": ["lost"]},
        "exit_before_entry_trades": {"count": 1, "sample": ["early"]},
        "ghost_trades": {"count": 1, "sample": ["2,025"]},
    }
    for limit in (0, 5001):
        assert book.get(f"{BASE}/integrity-report?limit={limit}").status_code == 422


# -- position trades -----------------------------------------------------------------------------------------------


def test_position_trades_stand_among_the_others(book: FlaskClient) -> None:
    short, long = get(book, "trades?symbol=NQ1!&strategy_id=EMA%20Cross")["items"]
    assert (long["side"], long["quantity"], long["max_quantity"], long["avg_entry_price"]) == ("LONG", 0, 2, 20000)
    assert (long["realized_points"], long["exit_reason"], len(long["partial_exits"])) == (30, "REVERSED", 1)
    assert (short["realized_points"], short["realized_money"]) == (-10, None)
    found = get(book, f"trade/{long['trade_id']}")
    assert found["trade"] == long
    assert [event["event_type"] for event in found["events"]] == ["POSITION"] * 3
    assert get(book, f"trade/{long['stream_id']}")["trade"] == short
    assert book.get(f"{BASE}/trade/{long['stream_id']}@20200101T000000Z").status_code == 404
    assert get(book, f"trade/{long['trade_id']}?as_of=2025-11-03T14:45:00Z")["trade"]["status"] == "ACTIVE"


def test_money_where_the_point_value_is_set(database_url: str) -> None:
    client = create_app(load({"DATABASE_URL": database_url, "POINT_VALUES": "NQ1!=20, ES1! = 50"})).test_client()
    post(client, order(0, "buy", 0, 1, "20000.25"))
    post(client, order(1, "sell", 1, 0, "20001"))
    (trade,) = get(client, "trades")["items"]
    assert (trade["realized_points"], trade["realized_money"]) == (Decimal("0.75"), 15)


def test_gaps_open_and_close(client: FlaskClient) -> None:
    for made in (order(0, "buy", 0, 1, 1), order(9, "buy", 0, 1, 3), order(12, "sell", 2, 1, 3)):
        assert post(client, made).status_code == 200
    newest, oldest = get(client, "gaps")["items"]
    assert oldest == {
        "stream": "pos~EMA~Cross:NQ1!:CME_MINI:5",
        "after": "2025-11-03T14:30:00+00:00",
        "before": "2025-11-03T14:39:00+00:00",
        "expected": {"market_position": "long", "market_position_size": 1},
        "found": {"market_position": "flat", "market_position_size": 0},
    }
    page = get(client, "gaps?limit=1")
    assert (page["items"], get(client, f"gaps?cursor={page['next_cursor']}")["items"]) == ([newest], [oldest])
    assert get(client, "stats")["stats"]["uncertain_count"] == 2
    post(client, order(5, "sell", 1, 0, 2))
    assert get(client, "gaps")["items"] == [newest]
    post(client, order(11, "buy", 1, 2, 2))
    assert get(client, "gaps") == {"success": True, "items": [], "next_cursor": None}
    assert get(client, "stats")["stats"]["uncertain_count"] == 0


def test_a_line_of_text_and_its_secret(database_url: str) -> None:
    client = create_app(load({"DATABASE_URL": database_url, "WEBHOOK_SECRET": "hush-hush"})).test_client()
    assert post(client, "6012345,buy,EURUSD,risk=1").status_code == 401
    answer = read_json(post(client, "6012345,buy,EURUSD,risk=1,secret=hush-hush"))
    assert (answer["trade_id"], answer["message"]) == ("pos~-:EURUSD:-:-", "Position alert processed")
    assert read_json(post(client, {"ticker": "X", "action": "buy", "passphrase": "hush-hush"}))["success"] is True
    kept = run_sql(database_url, "SELECT string_agg(s::text, ' ') FROM automated_signals AS s")[0][0]
    assert "hush" not in str(kept)
    assert "6012345" not in str(kept)


# -- the feed --------------------------------------------------------------------------------------------------------


def follow(client: FlaskClient, query: str = "") -> Iterator[dict[str, Any]]:
    """What a follower sees from the beginning to the present end."""
    cursor = ""
    while True:
        page = get(client, f"events?limit=7{query}{cursor}")
        yield from page["items"]
        cursor = f"&cursor={page['next_cursor']}"
        if not page["more"]:
            return


def test_the_feed_delivers_everything_once(book: FlaskClient) -> None:
    ids = [item["event_id"] for item in follow(book)]
    assert (len(ids), len(set(ids))) == (EVENTS, EVENTS)
    kinds = [item["event_type"] for item in follow(book, "&type=exit_sl,POSITION")]
    assert sorted(set(kinds)) == ["EXIT_STOP_LOSS", "POSITION"]
    assert {item["strategy_id"] for item in follow(book, "&strategy=S1")} == {"S1"}
    assert len(list(follow(book, "&symbol=NQ1!"))) == 26 + 4


def test_a_writer_that_commits_late_is_delivered_once_to_a_follower_past_its_id(
    client: FlaskClient, database_url: str
) -> None:
    insert = (
        "WITH one AS (INSERT INTO automated_signals (trade_id, event_type, event_key) VALUES (%s, 'ENTRY', %s)"
        " RETURNING trade_id, id) INSERT INTO feed_pending SELECT trade_id, id FROM one RETURNING event_id"
    )
    late = psycopg2.connect(database_url)
    with late.cursor() as cursor:
        cursor.execute(insert, ("late", "k"))
        (late_id,) = cursor.fetchone() or (0,)
    post(client, alert("prompt", "ENTRY", "2025-11-20T14:30:00Z", entry_price=1))
    first = get(client, "events")
    assert [item["trade_id"] for item in first["items"]] == ["prompt"]
    assert first["items"][0]["event_id"] > late_id
    # the rows that a later transaction commits come first; the late one still comes, and only once
    post(client, alert("next", "ENTRY", "2025-11-20T14:31:00Z", entry_price=1))
    second = get(client, f"events?cursor={first['next_cursor']}")
    late.commit()
    late.close()
    third = get(client, f"events?cursor={second['next_cursor']}")
    fourth = get(client, f"events?cursor={third['next_cursor']}")
    assert [[item["trade_id"] for item in page["items"]] for page in (second, third, fourth)] == [
        ["next"],
        ["late"],
        [],
    ]


def test_nothing_new_is_304(book: FlaskClient) -> None:
    first = book.get(f"{BASE}/events")
    again = book.get(f"{BASE}/events", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.get_data()) == (304, b"")
    cursor = read_json(first)["next_cursor"]
    page = book.get(f"{BASE}/events?cursor={cursor}")
    post(book, alert("new", "ENTRY", "2025-11-30T15:00:00Z", entry_price=1))
    later = book.get(f"{BASE}/events?cursor={cursor}", headers={"If-None-Match": page.headers["ETag"]})
    assert [item["trade_id"] for item in read_json(later)["items"]] == ["new"]


@pytest.mark.parametrize("query", ["cursor=x", "cursor=ZmVlZDotMQ==", "type=SOMETHING", "limit=0", "from=x"])
def test_the_feed_names_bad_parameters(client: FlaskClient, query: str) -> None:
    response = client.get(f"{BASE}/events?{query}")
    assert response.status_code == 422
    assert read_json(response)["details"][0]["field"] == query.partition("=")[0]


def test_telemetry_by_schema_and_containment(client: FlaskClient) -> None:
    for number in range(3):
        body = alert(f"t{number}", "ENTRY", "2025-11-20T14:30:00Z", setup={"family": "FVG" if number else "OB"})
        post(client, {**body, "schema_version": f"1.{number}.0"})
    post(client, {"type": "ENTRY", "signal_id": "legacy", "entry_price": Decimal("1.10")})
    everything = get(client, "telemetry?limit=2")
    rest = get(client, f"telemetry?limit=2&cursor={everything['next_cursor']}")
    assert [item["trade_id"] for item in [*everything["items"], *rest["items"]]] == ["t2", "t1", "t0"]
    assert [item["trade_id"] for item in get(client, "telemetry?schema_version=1.1.0")["items"]] == ["t1"]
    found = get(client, 'telemetry?contains={"setup":{"family":"FVG"}}')["items"]
    assert [item["trade_id"] for item in found] == ["t2", "t1"]
    one = get(client, f"telemetry/{found[0]['event_id']}")
    assert (one["trade_id"], one["telemetry"]["setup"]) == ("t2", {"family": "FVG"})
    legacy = get(client, "recent?limit=1")["items"][0]["event_id"]
    assert get(client, f"telemetry/{legacy}")["telemetry"]["entry_price"] == Decimal("1.10")
    assert client.get(f"{BASE}/telemetry/{10**17}").status_code == 404
    assert client.get(f"{BASE}/telemetry/{10**30}").status_code == 404
    for bad in ("contains=[1]", "contains={", 'contains={"a":"%5Cu0000"}', "cursor=MjAyNQ=="):
        assert client.get(f"{BASE}/telemetry?{bad}").status_code == 422


# -- exports ---------------------------------------------------------------------------------------------------------


def test_csv_has_every_event_and_no_formula(book: FlaskClient) -> None:
    formula = '=HYPERLINK("http://x")'
    post(book, alert("-t", "EXIT_MANUAL", "2025-11-30T15:00:00Z", exit_reason=formula, symbol="+X", mae_R="-1.5"))
    response = book.get(f"{BASE}/export.csv")
    assert (response.status_code, response.mimetype) == (200, "text/csv")
    rows = list(csv.DictReader(io.StringIO(response.get_data(as_text=True))))
    assert len(rows) == EVENTS + 1
    last = rows[-1]
    assert (last["trade_id"], last["exit_reason"], last["symbol"], last["mae"]) == ("'-t", f"'{formula}", "'+X", "-1.5")
    assert not [value for row in rows for value in row.values() if value[:1] in ("=", "@", "\t")]
    reversal = next(
        row
        for row in rows
        if row["event_type"] == "POSITION"
        and "before" in row["position"]
        and row["position_size"] == "2"
        and row["derived_trade_ids"].count("@") == 2
    )
    assert reversal["derived_trade_ids"].startswith(reversal["trade_id"])


def test_ndjson_has_every_event(book: FlaskClient) -> None:
    response = book.get(f"{BASE}/export.ndjson?type=ENTRY&strategy=S1&from=2025-11-10&to=2025-11-11")
    assert response.mimetype == "application/x-ndjson"
    lines = [parse(line) for line in response.get_data(as_text=True).splitlines()]
    assert [line["trade_id"] for line in lines] == ["t10", "t11"]
    assert (lines[0]["body"]["stop_loss"], lines[0]["event_type"]) == (90, "ENTRY")
    assert len(book.get(f"{BASE}/export.ndjson").get_data().splitlines()) == EVENTS


def test_empty_exports(client: FlaskClient) -> None:
    assert client.get(f"{BASE}/export.ndjson").get_data() == b""
    assert len(client.get(f"{BASE}/export.csv").get_data(as_text=True).splitlines()) == 1


@pytest.mark.parametrize(
    "path",
    [
        "stats-live",
        "dashboard-data",
        "hub-data",
        "integrity-report",
        "gaps",
        "events",
        "telemetry",
        "telemetry/1",
        "export.csv",
        "export.ndjson",
    ],
)
def test_reads_need_a_key(settings: Settings, path: str) -> None:
    guarded = create_app(load({"DATABASE_URL": str(settings.database_url), "API_KEY": "api-key-1234"})).test_client()
    assert guarded.get(f"{BASE}/{path}").status_code == 401
