"""No hot request walks through all stored events: each of its statements is explained over a table of some size."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from flask.testing import FlaskClient

from database.citus import returned
from database.driver import DurableCursor
from tests.conftest import run_sql
from tests.handlers.test_reads import BASE, book, get, order
from tests.handlers.test_signals import post
from tests.handlers.test_trades import alert

__all__ = ["book"]

TABLE = "automated_signals"
#: What every event has, in enough trades that the planner would rather take an index where there is one.
FILL = """
INSERT INTO automated_signals (
    trade_id, event_type, event_key, event_timestamp, received_at, symbol, strategy_id, telemetry
)
SELECT
    'T' || n / 20, CASE WHEN n % 20 = 0 THEN 'ENTRY' ELSE 'MFE_UPDATE' END, md5(n::text),
    now() - interval '1 minute' * n, now() - interval '1 minute' * n, 'NQ1!', 'S1',
    jsonb_build_object('schema_version', '1.0.0', 'n', n, 'pad', repeat('x', 100))
FROM generate_series(1, 20000) AS n
"""
FEED = "INSERT INTO feed (trade_id, event_id) SELECT trade_id, id FROM automated_signals ORDER BY id"
#: Indexes that hold few rows or none, whatever is stored.
SMALL = {"automated_signals_older_rows", "automated_signals_ghosts"}


def walked(plan: dict[str, Any], bounded: bool = False) -> list[str]:
    """The nodes of a plan that read every event: whole scans, and index scans with neither condition nor limit."""
    bounded = bounded or plan["Node Type"] == "Limit"
    found = []
    if plan.get("Relation Name") == TABLE:
        whole = "Seq Scan" in plan["Node Type"] or plan["Node Type"] == "Sample Scan"
        unasked = "Index" in plan["Node Type"] and "Index Cond" not in plan and not bounded
        if whole or (unasked and plan.get("Index Name") not in SMALL):
            found.append(f"{plan['Node Type']} {plan.get('Index Name', '')}")
    return found + [node for inner in plan.get("Plans", []) for node in walked(inner, bounded)]


def explained(cursor: Any, statement: str, values: Any = None) -> list[str]:
    cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
    (found,) = cursor.fetchone()
    plans = found if isinstance(found, list) else json.loads(found)
    return [node for one in plans for node in walked(one["Plan"])]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the application executes, with its values."""
    seen: list[tuple[str, Any]] = []
    execute = DurableCursor.execute

    def noted(self: DurableCursor, query: Any, vars: Any = None) -> None:
        seen.append((query, vars))
        execute(self, query, vars)

    monkeypatch.setattr(DurableCursor, "execute", noted)
    return seen


@pytest.fixture
def filled(book: FlaskClient, database_url: str) -> Iterator[Any]:
    """A cursor on the book's database, in which twenty thousand events lie beside the book's."""
    get(book, "stats")
    for statement in (FILL, FEED, f"ANALYZE {TABLE}", "ANALYZE feed"):
        run_sql(database_url, statement)
    connection = psycopg2.connect(database_url)
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


def requests(client: FlaskClient) -> Iterator[Any]:
    """Every hot request: alerts new, repeated and without a time; then each read, the first after an alert too."""
    late = alert("t3", "MFE_UPDATE", "2025-11-03T14:50:00Z", mfe_R=2)
    for body in (late, late, {"type": "ENTRY", "signal_id": "timeless", "entry_price": 1}, order(99, "buy", 0, 1, 1)):
        yield post(client, body)
    cursor = get(client, "events?limit=20")["next_cursor"]
    derived = next(item["trade_id"] for item in get(client, "trades")["items"] if "@" in item["trade_id"])
    for path in (
        "trade/t3", "trade/T7", f"trade/{derived}", "trade/t3?as_of=2025-11-04", "trade/nobody", "trades",
        "trades?status=ACTIVE&symbol=NQ1!", "events", f"events?cursor={cursor}", "events?type=ENTRY&strategy=S1",
        "stats", "stats?from=2025-11-05", "stats-live", "dashboard-data", "dashboard-data?session=NY%20AM",
        "hub-data", "hub-data?start_date=2025-11-04&end_date=2025-11-20", "integrity-report", "gaps", "recent",
        'telemetry', 'telemetry?schema_version=1.0.0', 'telemetry?contains={"n":7}', "telemetry/7",
    ):  # fmt: skip
        yield client.get(f"{BASE}/{path}")
    for page in ("", "/trades", "/trades/t3", "/today/figures", "/today/feed", "/today/state"):
        yield client.get(f"/dashboard{page}")


def test_no_hot_statement_reads_every_event(filled: Any, book: FlaskClient, statements: list[tuple[str, Any]]) -> None:
    for response in requests(book):
        assert response.status_code == 200 or "nobody" in response.request.path, response.get_data(as_text=True)
    pieces = [(piece, values) for query, values in statements for piece in query.split(";\n\n")]
    asked = [(query, values) for query, values in pieces if TABLE in query]
    assert [(query, nodes) for query, values in asked if (nodes := explained(filled, query, values))] == []
    assert len({query for query, _ in asked}) >= 15


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("store_events", {"events": "'[]'::jsonb"}),
        ("render_events", {"trade_ids": "'{T7,T8}'::text[]", "event_ids": "'{1,2}'::bigint[]"}),
    ],
)
def test_no_function_of_a_hot_statement_reads_every_event(
    filled: Any, function: str, arguments: dict[str, str]
) -> None:
    filled.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", (function,))
    ((source,),) = filled.fetchall()
    statement = returned(source, arguments)
    assert TABLE in statement
    assert explained(filled, statement) == []


def test_a_walk_would_be_seen(filled: Any) -> None:
    for statement in (
        "SELECT count(*) FROM automated_signals",
        "SELECT count(*) FROM automated_signals WHERE symbol = 'x'",
        "SELECT trade_id FROM automated_signals ORDER BY id",
        "SELECT s.id FROM automated_signals AS s INNER JOIN feed ON feed.event_id = s.id",
    ):
        assert explained(filled, statement) != [], statement
