"""The older pack's three checks, here against a fresh database, or against a deployed server.

Against a server: API_BASE=https://... HEIMDALL_BUILDER_API_KEY=... pytest tests/test_metrics_capital.py
"""

import json
import os
import urllib.request
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(request: pytest.FixtureRequest) -> Call:
    """Sends a request and returns (status, JSON): over the network where API_BASE is set, else in this process."""
    base = os.environ.get("API_BASE")
    headers = {"Content-Type": "application/json"}
    if base:
        headers["X-API-Key"] = os.environ.get("HEIMDALL_BUILDER_API_KEY", "")

        def over_network(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            data = None if body is None else json.dumps(body).encode()
            asked = urllib.request.Request(base.rstrip("/") + path, data, headers, method=method)
            with urllib.request.urlopen(asked, timeout=30) as response:
                return response.status, json.loads(response.read(), parse_float=Decimal)

        return over_network
    client = request.getfixturevalue("client")

    def in_process(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        response = client.open(path, method=method, json=body, headers=headers)
        return response.status_code, response.get_json()

    return in_process


def test_metrics_ok(call: Call) -> None:
    status, metrics = call("GET", "/api/metrics")
    assert (status, metrics["ok"]) == (200, True)
    tables = ("research_sources", "research_docs", "telemetry_events", "builder_tasks", "playbooks")
    for name in (*tables, "capital_intake_records", "requests_total", "errors_total"):
        assert isinstance(metrics[name], int)
    assert {"p50_ms", "p95_ms"} <= metrics.keys()


def test_capital_roundtrip(call: Call) -> None:
    source = f"test_{uuid.uuid4().hex[:12]}"
    body = {"source": source, "currency": "CAD", "amount": 1234.56, "note": "round trip"}
    status, made = call("POST", "/api/capital/intake", body)
    assert status == 201
    assert made["amount"] == Decimal("1234.56")
    listed = call("GET", f"/api/capital/intake?source={source}")[1]
    assert listed == [made]
    status, undone = call("POST", f"/api/capital/intake/{made['id']}/reverse", {})
    assert (status, undone["amount"]) == (201, Decimal("-1234.56"))


def test_telemetry_create(call: Call) -> None:
    status, made = call("POST", "/api/telemetry", {"kind": "test", "message": "hello", "meta_json": '{"n": 1}'})
    assert status == 201
    assert made["ok"] is True
    assert made["kind"] == "test"
    assert made["id"] > 0
    assert made["created_at"]
