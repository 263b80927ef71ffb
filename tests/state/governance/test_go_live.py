"""What the gate lets through, what the checklist asks of caps, and the review's verdict."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from state.governance import review
from state.governance.go_live import HALTED, Check, Switches, caps_set, failing, is_open_path, refusal

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/docs/assets/x.js", "/api/governance/risk/settle", "/api/admin/migrate"]
)
def test_open_paths(path: str) -> None:
    assert is_open_path(path)


@pytest.mark.parametrize("path", ["/docsx", "/docs-send", "/api/deals", "/api/governances", "/healthzz", "//", "/api"])
def test_closed_paths(path: str) -> None:
    assert not is_open_path(path)


@pytest.mark.parametrize(
    ("switches", "executes", "records", "path", "expected"),
    [
        (Switches(False, False), True, False, "/x", "GO_LIVE_DISABLED"),
        (Switches(False, False), False, False, "/x", "GO_LIVE_DISABLED"),
        (Switches(False, False), False, True, "/x", None),
        (Switches(False, False), False, False, "/docs", None),
        (Switches(True, True), True, False, "/x", "KILL_SWITCH_ENGAGED"),
        (Switches(True, True), False, False, "/x", None),
        (Switches(True, False), True, False, "/x", None),
        (HALTED, True, False, "/x", "KILL_SWITCH_ENGAGED"),
        (HALTED, False, True, "/x", None),
    ],
)
def test_the_gate(switches: Switches, executes: bool, records: bool, path: str, expected: str | None) -> None:
    assert refusal(switches, executes=executes, records=records, path=path) == expected


def policy(engine: str, enabled: bool = True, loss: int = 1) -> dict[str, Any]:
    return {"engine": engine, "enabled": enabled, "max_daily_loss": loss, "max_daily_exposure": 1, "max_open_risk": 1}


def test_caps_are_set() -> None:
    assert caps_set([policy("GLOBAL"), policy("NOTIFY", enabled=False, loss=0)]).ok
    assert caps_set([policy("GLOBAL"), policy("A", loss=0)]).detail == ["A.max_daily_loss is 0"]
    assert caps_set([policy("GLOBAL", enabled=False)]).detail == ["GLOBAL is missing or disabled"]
    assert failing({"a": Check(True, ""), "b": Check(False, "")}) == ["b"]


def facts(**changes: Any) -> dict[str, Any]:
    healthy: dict[str, Any] = {
        "go_live": {"go_live_enabled": True, "kill_switch_engaged": False},
        "regression": [],
        "ledger_today": [{"engine": "A", "enabled": True, "loss_left": Decimal(1)}],
        "breaches": [],
        "stale_reservations": [],
        "audit": {"ok": True, "detail": ""},
    }
    return {**healthy, **changes}


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({}, "healthy", None),
        ({"go_live": {"go_live_enabled": False, "kill_switch_engaged": True}}, "halted", "kill switch"),
        ({"regression": [{"domain": "D", "metric": "m", "triggered": True, "note": "n"}]}, "attention", "D.m"),
        ({"ledger_today": [{"engine": "A", "enabled": True, "loss_left": Decimal(0)}]}, "attention", "A has reached"),
        ({"breaches": [1]}, "attention", "1 breaches"),
        ({"stale_reservations": [1, 2]}, "attention", "2 reservations"),
        ({"audit": {"ok": False, "detail": "record 3"}}, "attention", "record 3"),
    ],
)
def test_the_review_s_verdict(changes: dict[str, Any], verdict: str, words: str | None) -> None:
    found, reasons = review.judge(facts(**changes))
    assert found == verdict
    assert (words or "") in "; ".join(reasons)
    assert bool(reasons) == (verdict != "healthy")


def test_time_from_trip_to_re_enabling() -> None:
    records = [
        (NOON, "regression.trip", "D.m"),
        (NOON + timedelta(seconds=90), "regression.rearm", "D.m"),
        (NOON + timedelta(seconds=95), "regression.rearm", "D.m"),
        (NOON + timedelta(seconds=99), "regression.trip", "D.n"),
    ]
    found = review.trips(records)
    assert [(trip["wire"], trip["seconds"]) for trip in found] == [("D.m", Decimal("90.0")), ("D.n", None)]
    assert review.mean_seconds(found) == Decimal("90.0")
    assert review.mean_seconds([]) is None
