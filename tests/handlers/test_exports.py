"""What the database writes of an event for an export is what Python would write of it."""

import csv
import io
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from database.exports import COLUMNS
from database.pool import Pool
from database.queries import QUERIES
from database.rows import to_event
from handlers.exports import cell, exported
from settings import Settings
from state import jsontext
from tests.conftest import run_sql
from tests.handlers.test_signals import post

PAYLOADS = Path(__file__).parents[2] / "test_payloads"
EXPORT = "/api/automated-signals/export"
ODD = {
    "type": "ENTRY", "signal_id": "odd", "entry_price": "0.00000012", "stop_loss": 1e-9, "risk_percent": "1.50",
    "strategy_id": '=1+"1",\n2', "symbol": "@X", "note": 'a "quoted", line\r\nand another \u2028 \U0001f600',
    "targets": {"tp1_price": 3.10}, "schema": [1, {"b": None}],
}  # fmt: skip


def expected(pool: Pool) -> list[dict[str, Any]]:
    """Every event as Python exports it, in order of receipt."""
    with pool.transaction() as connection:
        rows = list(QUERIES.signals.select_recent_events(connection, since="2000-01-01", limit=10_000))
    return [exported(to_event(row)) for row in reversed(rows)]


def plain(value: Any) -> Any:
    return jsontext.stored(jsontext.dump(value))


def test_every_sample_is_exported_as_it_is_known(client: FlaskClient, settings: Settings) -> None:
    for path in sorted(PAYLOADS.rglob("*")):
        if path.is_file() and "expected" not in path.name and not path.name.startswith("invalid"):
            post(client, path.read_bytes())
    assert post(client, ODD).status_code == 200
    url = str(settings.database_url)
    run_sql(url, "INSERT INTO automated_signals (trade_id, event_type, mfe) VALUES ('old', 'ENTRY', 'NaN')")
    pool = Pool(url, 2)
    client.get("/api/automated-signals/stats")
    known = {line["event_id"]: line for line in expected(pool)}
    pool.close()
    assert len(known) > 100
    lines = [
        jsontext.parse(line, max_depth=64, max_keys=9_999)
        for line in client.get(f"{EXPORT}.ndjson").get_data(as_text=True).split("\n")[:-1]
    ]
    assert len(lines) == len(known)
    for line in lines:
        derived = line.pop("derived_trade_ids", None)
        assert plain(line) == plain(known[line["event_id"]])
        assert (derived is not None) == (line["event_type"] == "POSITION")
    rows = list(csv.DictReader(io.StringIO(client.get(f"{EXPORT}.csv").get_data(as_text=True), newline="")))
    assert [int(row["event_id"]) for row in rows] == [line["event_id"] for line in lines]
    for row in rows:
        told = known[int(row["event_id"])]
        for name in COLUMNS:
            value = told.get(name) or None if name == "warnings" else told.get(name)
            if isinstance(value, dict | list):
                assert jsontext.stored(row[name]) == plain(value), name
            elif name != "derived_trade_ids":
                assert row[name] == cell(value), name
