"""The operators' own lines, sent with curl to a real socket, and the nightly workflow's shell."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from settings import ROOT, load
from state import jsontext
from tests.conftest import run_sql
from tests.processes import needs
from tests.serving import serving
from web_server import create_app

KEYS = {"HEIMDALL_BUILDER_API_KEY": "builder-key-1", "ADMIN_KEY": "admin-key-12345"}
JSON = '-H "Content-Type: application/json"'
KEY = '-H "X-API-Key: $YOUR_BUILDER_KEY"'

HEALTH = "curl $BASE/healthz"
METRICS = "curl $BASE/api/metrics"
MIGRATE = 'curl -X POST $BASE/api/admin/migrate -H "X-Admin-Key: $YOUR_ADMIN_KEY"'
INTAKE = (
    f"curl -X POST $BASE/api/capital/intake {KEY} {JSON} -d "
    '\'{"source": "test_deployment", "currency": "CAD", "amount": 1000.00, "note": "Deployment verification test"}\''
)
INTAKES = f"curl $BASE/api/capital/intake {KEY}"
TELEMETRY = (
    f"curl -X POST $BASE/api/telemetry {KEY} {JSON} -d "
    '\'{"kind": "deployment", "message": "Capital pack deployed", "meta_json": "{\\"version\\": \\"3.4\\"}"}\''
)
FORECAST = f'curl "$BASE/api/jobs/forecast/month" {KEY}'
FREEZE = f'curl "$BASE/api/jobs/freeze/check?prev_balance=50000&current_balance=%s" {KEY}'


@pytest.fixture
def base(database_url: str) -> Iterator[str]:
    needs(shutil.which("curl"), "curl")
    with serving(create_app(load({"DATABASE_URL": database_url, **KEYS}))) as url:
        yield url


def sh(base: str, line: str, **more: str) -> Any:
    """What a shell line prints, as JSON."""
    environment = {"PATH": os.environ["PATH"], "BASE": base, "YOUR_BUILDER_KEY": KEYS["HEIMDALL_BUILDER_API_KEY"]}
    environment |= {"YOUR_ADMIN_KEY": KEYS["ADMIN_KEY"], **more}
    run = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=60, check=True)
    return jsontext.parse(run.stdout)


def test_every_line_answers_as_it_is_written(base: str) -> None:
    migrated = sh(base, MIGRATE)
    assert (migrated["ok"], migrated["applied"]) == (True, [])
    assert sh(base, HEALTH)["status"] == "ok"
    assert {"ok": True, "capital_intake_records": 0, "telemetry_events": 0}.items() <= sh(base, METRICS).items()
    made = sh(base, INTAKE)
    assert (made["id"], made["amount"], made["currency"]) == (1, Decimal(1000), "CAD")
    assert sh(base, INTAKES) == [made]
    event = sh(base, TELEMETRY)
    assert (event["ok"], event["id"], event["kind"]) == (True, 1, "deployment")
    forecast = sh(base, FORECAST)
    assert (forecast["projected_balance"], forecast["forecast_yield"]) == (Decimal(1040), Decimal("0.04"))
    within, beyond = sh(base, FREEZE % "49000"), sh(base, FREEZE % "48000")
    assert (within["frozen"], within["message"]) == (False, "Within acceptable drawdown")
    assert (beyond["frozen"], beyond["message"]) == (True, "FREEZE TRIGGERED - 4.00% drawdown")


def test_a_wrong_key_is_answered_in_the_older_words(base: str) -> None:
    refused = sh(base, INTAKES, YOUR_BUILDER_KEY="wrong-key-1")
    assert (refused["error"], refused["code"]) == ("Invalid X-API-Key", "UNAUTHENTICATED")


def _steps() -> list[str]:
    """The shell of the nightly workflow, step by step."""
    text = (ROOT / ".github" / "workflows" / "nightly.yml").read_text(encoding="utf-8")
    blocks = re.findall(r"^        run: \|\n((?:          .*\n|\n)+)", text, re.MULTILINE)
    return [re.sub(r"^ {10}", "", block, flags=re.MULTILINE) for block in blocks]


@pytest.mark.parametrize(("current", "exit_code"), [("", 0), ("49000", 0), ("48000", 1)])
def test_the_nightly_workflow_asks_for_forecast_and_freeze(
    base: str, tmp_path: Path, current: str, exit_code: int, database_url: str
) -> None:
    needs(shutil.which("jq"), "jq")
    run_sql(
        database_url,
        "INSERT INTO job_runs (job, holder, status, finished_at, exit_code, result) VALUES ('nightly-capital', 'h', "
        """'done', now(), 0, '{"freeze": [{"source": "1", "prev_balance": 100, "current_less_flows": 99}]}')""",
    )
    given = {"API_BASE": base, "KEY": KEYS["HEIMDALL_BUILDER_API_KEY"], "PATH": os.environ["PATH"]}
    balances = {"PREV_BALANCE": "50000" if current else "", "CURRENT_BALANCE": current}
    codes, said = [], ""
    for step in _steps():
        run = subprocess.run(
            ["bash", "-e", "-c", step],
            env={**given, **balances},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        codes.append(run.returncode)
        said += run.stdout
    assert codes == [0, exit_code]
    assert '"source":"1"' in said
    assert ("::error::by hand: FREEZE TRIGGERED - 4.00% drawdown" in said) == bool(exit_code)
