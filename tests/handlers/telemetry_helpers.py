"""Records as scripts send them, and a client's ways to send and read."""

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from state import jsontext

_beginnings: dict[str, datetime] = {}


def ago(minutes: float) -> str:
    """A time before the running test's own beginning: a long run of many tests must not age it."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    beginning = _beginnings.setdefault(test, datetime.now(UTC).replace(microsecond=0))
    return (beginning - timedelta(minutes=minutes)).isoformat()


def signal(minutes: float = 10, **more: Any) -> dict[str, Any]:
    told = {"symbol": "SPY", "direction": "upward", "bar_strength": 0.7, "close_price": 500.25, "candle_size": 1.5}
    return {"kind": "breakout_signal", "profile_id": 1, "timestamp": ago(minutes), "volume": 1000, **told, **more}


def outcome(entry: float | str, exit_price: float | str, minutes: float = 10, **more: Any) -> dict[str, Any]:
    times = {"entry_time": ago(minutes), "exit_time": ago(minutes - 1), "timestamp": ago(minutes - 1)}
    prices = {"entry_price": entry, "exit_price": exit_price, "quantity": 1}
    return {"kind": "breakout_outcome", "profile_id": 1, "symbol": "SPY", **times, **prices, **more}


def equity(value: float | str, minutes: float = 10, **more: Any) -> dict[str, Any]:
    money = {"account_equity": value, "unrealized_pnl": "1.5", "realized_pnl": 2, "margin_used": 50}
    rest = {"margin_available": 100, "open_positions_count": 1, "timestamp": ago(minutes)}
    return {"kind": "equity", "profile_id": 1, **money, **rest, **more}


def order(order_id: str | None, status: str, minutes: float = 10, **more: Any) -> dict[str, Any]:
    told = {"symbol": "SPY", "order_type": "limit", "side": "buy", "quantity": 5, "status": status}
    return {"kind": "order", "profile_id": 1, "timestamp": ago(minutes), "order_id": order_id, **told, **more}


def latency(value: float | str, minutes: float = 10, script: str = "order_monitor", **more: Any) -> dict[str, Any]:
    told = {"profile_id": 1, "timestamp": ago(minutes), "script_name": script, "latency_ms": value}
    return {"kind": "latency", **told, **more}


def health(minutes: float = 10, script: str = "order_monitor", **more: Any) -> dict[str, Any]:
    told = {"profile_id": 1, "timestamp": ago(minutes), "script_name": script, "status": "healthy"}
    return {"kind": "health", **told, **more}


def ndjson(records: Sequence[Mapping[str, Any]]) -> bytes:
    return "\n".join(json.dumps(record) for record in records).encode()


def send(client: FlaskClient, records: Sequence[Mapping[str, Any]], batch_id: str | None = None) -> TestResponse:
    headers = {"Content-Encoding": "gzip"} | ({"X-Batch-Id": batch_id} if batch_id else {})
    return client.post("/api/v1/telemetry/ingest", data=gzip.compress(ndjson(records)), headers=headers)


def take(client: FlaskClient, *records: Mapping[str, Any]) -> None:
    """Send records that must all be taken."""
    response = send(client, records)
    answer = jsontext.parse(response.get_data(as_text=True))
    assert (response.status_code, answer["accepted"], answer["rejected"]) == (200, len(records), [])


def read(client: FlaskClient, path: str) -> Any:
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.get_data(as_text=True)
    return jsontext.parse(response.get_data(as_text=True), max_keys=1_000_000)


def number(value: float | str) -> Decimal:
    return Decimal(str(value))
