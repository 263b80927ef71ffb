"""Requests that show the operations which the demo does not use, in an order in which they succeed."""

import json
from typing import Any, Final

ALERT: Final = {
    "trade_id": "EXAMPLE_1",
    "event_type": "ENTRY",
    "direction": "LONG",
    "symbol": "MNQ1!",
    "entry_price": 20500.25,
    "stop_loss": 20475,
}
MENDED: Final = {**ALERT, "trade_id": "EXAMPLE_2"}
WHO: Final = {"actor": "ada", "reason": "an example"}
DRAFT: Final = [{"path": "docs/alerts.md", "mode": "add", "content": "# Alerts\n"}]
SIGNALS: Final = "/api/automated-signals"

REQUESTS: Final[tuple[tuple[str, str, Any], ...]] = (
    ("POST", SIGNALS, ALERT),
    ("POST", f"{SIGNALS}/webhook", {**ALERT, "trade_id": "EXAMPLE_3"}),
    ("POST", f"{SIGNALS}/your-webhook-secret", {**ALERT, "trade_id": "EXAMPLE_4"}),
    ("POST", f"{SIGNALS}/webhook/your-webhook-secret", {**ALERT, "trade_id": "EXAMPLE_5"}),
    ("POST", "/api/v1/quarantine/1/replay", {"body": MENDED}),
    ("POST", "/api/v1/quarantine/2/discard", {"reason": "a test of the script"}),
    ("POST", "/api/v1/quarantine/replay", {"reason": "NOT_JSON", "limit": 10}),
    ("POST", "/api/telemetry", {"kind": "deploy", "message": "version 12 is live", "meta_json": {"version": 12}}),
    ("POST", "/api/capital/intake/7/reverse", {"note": "booked twice"}),
    (
        "POST",
        "/api/capital/risk-profiles",
        {"source": "BROKER_B", "freeze_drawdown_pct": 0.05, "note": "smaller account"},
    ),
    ("DELETE", "/api/capital/risk-profiles/BROKER_B", None),
    ("POST", "/api/builder/register", {"agent_name": "desk-agent", "version": "1.0"}),
    ("POST", "/builder/register", {"agent_name": "desk-agent", "version": "1.0"}),
    ("POST", "/api/builder/telemetry", {"kind": "note", "msg": "tests pass"}),
    ("POST", "/builder/telemetry", {"kind": "note", "msg": "tests pass"}),
    ("POST", "/api/builder/tasks", {"title": "Describe the alerts", "scope": "docs/", "plan": "one page"}),
    ("POST", "/builder/tasks", {"title": "Describe the alerts", "scope": "docs/", "plan": "one page"}),
    ("POST", "/api/builder/draft?task_id=1", DRAFT),
    ("POST", "/builder/draft?task_id=2", DRAFT),
    ("POST", "/api/builder/apply", {"task_id": 1, "approve": False}),
    ("POST", "/builder/apply", {"task_id": 2, "approve": False}),
    ("POST", "/api/research/sources", {"name": "House notes", "url": "https://example.com/notes", "kind": "note"}),
    ("PUT", "/api/research/sources/1", {"name": "House notes on risk"}),
    ("POST", "/api/research/ingest", {"source_id": 1, "text": "Never risk more than one percent.", "title": "Risk"}),
    ("POST", "/api/research/query", {"q": "how much to risk", "limit": 3}),
    ("GET", "/api/research/sources/1", None),
    ("DELETE", "/api/research/sources/1", None),
    ("POST", "/api/playbooks", {"slug": "open", "title": "Before the open", "body_md": "1. Look at Today."}),
    ("GET", "/api/playbooks/open", None),
    ("PUT", "/api/playbooks/open", {"title": "Before the bell"}),
    ("DELETE", "/api/playbooks/open", None),
    ("POST", "/api/admin/migrate", {}),
    ("POST", "/api/governance/risk/policies/upsert", {**WHO, "engine": "WHOLESALE", "max_daily_loss": 250}),
    (
        "POST",
        "/api/governance/risk/check-and-reserve",
        {**WHO, "engine": "WHOLESALE", "amount": 50, "reservation_id": "r-1"},
    ),
    (
        "POST",
        "/api/governance/risk/settle",
        {**WHO, "reservation_id": "r-1", "realized_loss": 12.5, "filled_amount": 50},
    ),
    (
        "POST",
        "/api/governance/risk/check-and-reserve",
        {**WHO, "engine": "WHOLESALE", "amount": 50, "reservation_id": "r-2"},
    ),
    ("POST", "/api/governance/risk/release", {**WHO, "reservation_id": "r-2"}),
    ("POST", "/api/governance/heimdall/policies/upsert", {**WHO, "domain": "BUYER_MATCH", "min_sandbox_trials": 60}),
    ("POST", "/api/governance/regression/kpi", {"domain": "WHOLESALE", "metric": "contract_rate", "success": True}),
    ("POST", "/api/governance/regression/evaluate", {**WHO, "domain": "WHOLESALE", "metric": "contract_rate"}),
    ("POST", "/api/governance/go-live/kill-switch/engage", WHO),
    ("POST", "/api/governance/go-live/kill-switch/release", WHO),
    ("POST", "/api/governance/go-live/disable", WHO),
    ("POST", f"{SIGNALS}/import", json.dumps({**ALERT, "trade_id": "EXAMPLE_6"})),
    ("POST", f"{SIGNALS}/delete-trades", {"trade_ids": ["EXAMPLE_1"], **WHO}),
    ("POST", f"{SIGNALS}/restore-trades", {"trade_ids": ["EXAMPLE_1"], **WHO}),
    ("POST", f"{SIGNALS}/bulk-delete", {"trade_ids": ["EXAMPLE_3"], **WHO}),
    ("POST", f"{SIGNALS}/purge-ghosts", WHO),
    ("GET", "/docs/assets/start-swagger.js", None),
)
