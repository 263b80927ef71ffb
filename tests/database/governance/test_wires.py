"""Tripwires with a database: windows, the latch, re-arming, results of trades."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from database import signals
from database.governance import go_live, regression, risk
from database.governance.audit import Who
from database.pool import Pool
from errors import Invalid
from state.event import SignalEvent
from tests.conftest import run_sql
from tests.database.governance.reserving import OPERATOR, TESTER


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    made = Pool(database_url, 2)
    yield made
    made.close()


def send(pool: Pool, successes: str, domain: str = "WHOLESALE", metric: str = "contract_rate") -> None:
    """Record outcomes one by one or many at once: "1110" is three successes and a failure."""
    events = [{"domain": domain, "metric": metric, "success": one == "1", "event_key": None} for one in successes]
    regression.record_kpis(pool, TESTER, events)


def wire(pool: Pool, domain: str = "WHOLESALE", metric: str = "contract_rate", **changes: Any) -> None:
    small = {"enabled": True, "window_events": 10, "baseline_events": 20, "min_events_to_enforce": 10}
    regression.upsert_policy(pool, OPERATOR, domain, metric, {**small, **changes})


def state(pool: Pool, metric: str = "contract_rate") -> dict[str, Any]:
    return next(one for one in regression.select_states(pool) if one["metric"] == metric)


def engine(pool: Pool, name: str = "WHOLESALE") -> dict[str, Any]:
    return next(one for one in risk.select_policies(pool) if one["engine"] == name)


def test_current_and_baseline_do_not_overlap(pool: Pool) -> None:
    wire(pool, max_drop_fraction=Decimal(1))
    send(pool, "0" * 5 + "1" * 20 + "10" * 5)
    found = state(pool)
    assert (found["baseline"], found["current"]) == (1, Decimal("0.5"))


def test_a_wire_acts_once_until_a_human_arms_it_again(pool: Pool, database_url: str) -> None:
    wire(pool)
    send(pool, "1" * 20 + "1110011100")
    tripped = state(pool)
    assert (tripped["triggered"], tripped["note"]) == (True, "TRIGGERED drop=0.400 action=THROTTLE")
    assert (engine(pool)["enabled"], engine(pool)["reason"]) == (
        False,
        "Regression tripwire: WHOLESALE.contract_rate drop=0.400",
    )
    changed = engine(pool)["updated_at"]
    send(pool, "0" * 5)
    assert state(pool)["drop_fraction"] > Decimal("0.4")
    assert engine(pool)["updated_at"] == changed
    assert state(pool)["last_triggered_at"] == tripped["last_triggered_at"]
    send(pool, "1" * 30)
    assert (state(pool)["note"], state(pool)["triggered"]) == ("OK drop=0.000", True)
    assert not engine(pool)["enabled"]
    assert run_sql(database_url, "SELECT count(*) FROM notice WHERE kind = 'tripwire'") == [(1,)]


def test_after_re_arming_only_later_events_count_as_current(pool: Pool) -> None:
    wire(pool)
    send(pool, "1" * 20 + "0" * 10)
    with pytest.raises(Invalid, match="switched itself off"):
        risk.upsert_policy(pool, Who("operator"), "WHOLESALE", {"enabled": True})
    risk.upsert_policy(pool, Who("operator", reason="fixed"), "WHOLESALE", {"enabled": True})
    assert not state(pool)["triggered"]
    send(pool, "1" * 9)
    assert state(pool)["note"] == "insufficient_events(recent=9, baseline=20)"
    send(pool, "1")
    assert (state(pool)["current"], state(pool)["triggered"]) == (1, False)
    assert engine(pool)["enabled"]
    send(pool, "1" * 20 + "0" * 10)
    assert state(pool)["triggered"]
    assert not engine(pool)["enabled"]


def test_a_kill_switch_wire_is_armed_again_by_the_release(pool: Pool) -> None:
    wire(pool, "CAPITAL", "roi_event", action="KILL_SWITCH")
    events = [
        {"domain": "CAPITAL", "metric": "roi_event", "value": Decimal(value), "event_key": None}
        for value in ["2.5"] * 20 + ["-1"] * 10
    ]
    regression.record_kpis(pool, TESTER, events)
    switches = go_live.select_switches(pool)
    assert (switches.kill_switch_engaged, switches.go_live_enabled) == (True, False)
    assert switches.reason == "Regression tripwire: CAPITAL.roi_event drop=1.400"
    assert engine(pool, "CAPITAL")["enabled"]
    go_live.set_kill_switch(pool, OPERATOR, engaged=False)
    assert not state(pool, "roi_event")["triggered"]


def test_a_domain_without_caps_gets_a_disabled_policy(pool: Pool) -> None:
    wire(pool, "BUYER_MATCH", "match_success")
    send(pool, "1" * 20 + "0" * 10, "BUYER_MATCH", "match_success")
    assert (engine(pool, "BUYER_MATCH")["enabled"], engine(pool, "BUYER_MATCH")["max_daily_loss"]) == (False, 0)


def test_a_missing_or_disabled_wire_says_so_and_leaves_no_junk(pool: Pool) -> None:
    for domain, metric in (("NOBODY", "nothing"), ("WHOLESALE", "contract_rate")):
        found = regression.evaluate(pool, TESTER, domain, metric, asked=True)
        assert (found["note"], found["triggered"]) == ("policy_missing_or_disabled", False)
    assert [one["domain"] for one in regression.select_states(pool)] == ["WHOLESALE"]


def test_known_events_are_not_counted_again(pool: Pool) -> None:
    events = [{"domain": "D", "metric": "m", "success": True, "event_key": key} for key in ("a", None, "b", "a", None)]
    first = regression.record_kpis(pool, TESTER, events)
    assert (first[0], len(set(first))) == (first[3], 4)
    again = regression.record_kpis(pool, TESTER, events[:1])
    assert again == first[:1]


def test_events_are_read_from_the_end_of_the_index(pool: Pool, database_url: str) -> None:
    run_sql(
        database_url,
        "INSERT INTO kpi_event (domain, metric, success) SELECT 'D' || n % 7, 'm', TRUE "
        "FROM generate_series(1, 20000) AS n; ANALYZE kpi_event",
    )
    plan = run_sql(
        database_url,
        "EXPLAIN SELECT FROM kpi_event WHERE domain = 'D1' AND metric = 'm' ORDER BY created_at DESC, id DESC LIMIT 1",
    )
    assert "kpi_event_newest" in str(plan)
    assert "Sort" not in str(plan)


def alert(trade_id: str, event_type: str, minutes: int, **fields: Any) -> SignalEvent:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2) + timedelta(minutes=minutes)
    return SignalEvent(
        trade_id=trade_id,
        event_type=event_type,
        payload_version="direct",
        event_timestamp=at,
        event_time_source="iso",
        received_at=at,
        event_key=f"{trade_id}-{event_type}",
        legacy_payload={},
        strategy_id="nq-opening",
        direction="Bullish",
        **fields,
    )


def test_completed_trades_become_outcomes_once(pool: Pool, database_url: str) -> None:
    events = [
        alert(trade_id, "ENTRY", 0, entry_price=Decimal(100), stop_loss=Decimal(90))
        for trade_id in ("won", "lost", "open")
    ]
    events.append(alert("won", "EXIT_TP", 5, exit_price=Decimal(130)))
    events.append(alert("lost", "EXIT_SL", 5, exit_price=Decimal(90)))
    with pool.transaction() as connection:
        signals.insert_events(connection, events)
    assert regression.record_completed_trades(pool, limit=1) == 2
    assert regression.record_completed_trades(pool) == 0
    rows = run_sql(
        database_url,
        "SELECT domain, metric, success, value, correlation_id FROM kpi_event ORDER BY correlation_id, metric",
    )
    assert rows == [
        ("NQ-OPENING", "realized_r", None, Decimal(-1), "lost"),
        ("NQ-OPENING", "win", False, None, "lost"),
        ("NQ-OPENING", "realized_r", None, Decimal(3), "won"),
        ("NQ-OPENING", "win", True, None, "won"),
    ]
