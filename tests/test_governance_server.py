"""The four levers as their operators drive them: curl against a real server."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Server, needs, server

#: 200 outcomes of 95 % with the failures spread evenly, then 50 of 74 %; each by a curl of its own.
SEED = """
for i in {1..10}; do
  for j in {1..19}; do echo true; done; echo false
done
"""
FALL = "for i in {1..37}; do echo true; done; for i in {1..13}; do echo false; done"
POST_EACH = """
while read -r success; do
  echo "next"
  echo "url = $URL/api/governance/regression/kpi"
  echo 'header = "Content-Type: application/json"'
  echo "data = \\"{\\\\\\"domain\\\\\\":\\\\\\"WHOLESALE\\\\\\",\\\\\\"metric\\\\\\":\\\\\\"contract_rate\\\\\\",\
\\\\\\"success\\\\\\":$success,\\\\\\"actor\\\\\\":\\\\\\"seed\\\\\\"}\\""
done | tail -n +2 | curl -s -K - | grep -o '"ok":true' | wc -l
"""
EVALUATE = (
    "curl -s -X POST $URL/api/governance/regression/evaluate -d 'domain=WHOLESALE&metric=contract_rate&actor=test'"
)


class Shell:
    """bash with the server's address in $URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, script: str) -> str:
        done = subprocess.run(
            ["bash", "-c", script],
            env={"URL": self.url, "PATH": "/usr/local/bin:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def get(self, path: str) -> Any:
        return json.loads(self.run(f"curl -s $URL/api/governance{path}"), parse_float=Decimal)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        sent = json.dumps(body)
        header = "-H 'Content-Type: application/json'"
        answer = self.run(f"curl -s -X POST $URL/api/governance{path} {header} -d '{sent}'")
        return json.loads(answer, parse_float=Decimal)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    needs(shutil.which("curl"), "curl")
    with server(tmp_path_factory.mktemp("governance") / "data") as started:
        yield started


@pytest.fixture
def shell(one: Server) -> Shell:
    return Shell(one.url)


def test_lever_one(shell: Shell) -> None:
    assert shell.get("/go-live/state")["kill_switch_engaged"] is False
    assert shell.get("/go-live/checklist")["ok"]
    stopped = shell.post("/go-live/disable", {"actor": "deployment", "reason": "Testing enforcement"})
    assert stopped["go_live_enabled"] is False
    assert shell.post("/go-live/enable", {"actor": "deployment"})["go_live_enabled"]


def test_lever_two(shell: Shell) -> None:
    assert [row["engine"] for row in shell.get("/risk/policies")] == ["GLOBAL", "CAPITAL", "NOTIFY", "WHOLESALE"]
    assert all(row["exposure_used"] == 0 for row in shell.get("/risk/ledger/today"))
    for amount in (50000, 2000000):
        asked = {"engine": "WHOLESALE", "amount": amount, "actor": "test"}
        answer = shell.post("/risk/check-and-reserve", asked)
        assert (answer["ok"], answer["reason"]) == (False, "would_exceed_policy")
        assert answer["message"] == f"GLOBAL hard stop: Daily exposure cap exceeded ({amount} > 1500)"


def test_lever_three(shell: Shell) -> None:
    assert len(shell.get("/heimdall/policies")) == 4
    assert shell.get("/heimdall/scorecard/today") == []
    advice = {
        "domain": "WHOLESALE_OFFER",
        "confidence": 0.95,
        "recommendation": {"offer_id": 123, "price": 1500},
        "evidence": {"model": "v2.1", "prediction_score": 0.95},
        "actor": "heimdall_ai",
    }
    answer = shell.post("/heimdall/recommend", advice)
    assert (answer["prod_eligible"], answer["gate_reason"]) == (False, "prod_use_disabled")


def test_lever_four_and_what_it_switches_off(shell: Shell) -> None:
    assert len(shell.get("/regression/policies")) == 4
    assert shell.get("/regression/state") == []
    assert shell.run(f"({SEED}) | {POST_EACH}") == "200"
    enabling = {"domain": "WHOLESALE", "metric": "contract_rate", "enabled": True, "changed_by": "test_deployment"}
    assert shell.post("/regression/policies/upsert", enabling)["enabled"]
    first = json.loads(shell.run(EVALUATE), parse_float=Decimal)["state"]
    assert (first["triggered"], first["note"]) == (False, "OK drop=0.014")
    assert shell.run(f"({FALL}) | {POST_EACH}") == "50"
    state = json.loads(shell.run(EVALUATE), parse_float=Decimal)["state"]
    assert (state["baseline"], state["current"]) == (Decimal("0.95"), Decimal("0.74"))
    assert (state["triggered"], state["note"]) == (True, "TRIGGERED drop=0.221 action=THROTTLE")
    policy = shell.run("curl -s $URL/api/governance/risk/policies | tr '}' '\\n' | grep WHOLESALE")
    assert '"enabled":false' in policy
    assert '"reason":"Regression tripwire: WHOLESALE.contract_rate drop=0.2' in policy
    answer = shell.post("/risk/check-and-reserve", {"engine": "WHOLESALE", "amount": 50000, "actor": "test"})
    assert (answer["ok"], answer["reason"]) == (False, "policy_disabled")


def test_the_monday_review(shell: Shell) -> None:
    for path in ("/go-live/state", "/risk/ledger/today", "/regression/state", "/heimdall/scorecard/today"):
        assert shell.get(path) is not None
    review = shell.get("/review")
    assert review["verdict"] == "attention"
    assert any("contract_rate" in reason for reason in review["reasons"])


def test_enforcement_and_the_way_out_of_it(tmp_path: Path) -> None:
    needs(shutil.which("curl"), "curl")
    closed = {"ENV": "production", "GO_LIVE_ENFORCE": "1"}
    deals = "curl -s -o /dev/null -w '%{http_code}' $URL/api/deals"
    with server(tmp_path / "data", environment=closed) as enforced:
        shell = Shell(enforced.url)
        assert shell.run(deals) == "403"
        alert = """curl -s -X POST $URL/api/automated-signals/webhook -d '{"type":"ENTRY","signal_id":"g"}'"""
        assert '"success":true' in shell.run(alert)
        assert shell.post("/go-live/enable", {"actor": "deployment"})["go_live_enabled"]
        assert shell.run(deals) == "404"
        assert not shell.post("/go-live/disable", {"actor": "deployment"})["go_live_enabled"]
        assert shell.run(deals) == "403"
    with server(tmp_path / "data", environment={**closed, "GO_LIVE_ENFORCE": "0"}) as relaxed:
        assert Shell(relaxed.url).run(deals) == "404"
