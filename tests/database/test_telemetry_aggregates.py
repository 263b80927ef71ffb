"""Aggregates equal an independent calculation, also after late and moved records; alert trades join the report."""

import math
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from database import migrate
from jobs import telemetry_aggregates
from settings import Settings, load
from tests.conftest import run_sql
from tests.handlers.telemetry_helpers import (
    ago,
    equity,
    health,
    latency,
    order,
    outcome,
    read,
    send,
    signal,
    take,
)
from tests.handlers.test_signals import post
from web_server import create_app

Windows = dict[tuple[str, datetime], list[Any]]


def stored(database_url: str) -> dict[tuple[Any, ...], float]:
    rows = run_sql(
        database_url,
        "SELECT metric_type, metric_name, window_type, window_start, metric_value, window_end FROM dd_telemetry_metrics"
        " WHERE profile_id = 1",
    )
    found: dict[tuple[Any, ...], float] = {}
    for kind, name, window, start, value, end in rows:
        assert isinstance(start, datetime)
        assert isinstance(end, datetime)
        assert end - start == (timedelta(hours=1) if window == "hour" else timedelta(days=1))
        found[kind, name, window, start.astimezone(UTC)] = float(str(value))
    return found


def windows(records: Iterable[dict[str, Any]], time_of: str) -> Windows:
    """Records by the hour and by the day (UTC) of one of their times."""
    found: Windows = defaultdict(list)
    for record in records:
        at = datetime.fromisoformat(record[time_of])
        hour = at.replace(minute=0, second=0, microsecond=0)
        found["hour", hour].append(record)
        found["day", hour.replace(hour=0)].append(record)
    return found


def calculated(records: list[dict[str, Any]]) -> dict[tuple[Any, ...], float]:
    """Every aggregate, from the records as they were sent, with floats and numpy."""
    by_kind = defaultdict(list)
    for record in records:
        by_kind[record["kind"]].append(record)
    expected: dict[tuple[Any, ...], float] = {}
    for (window, start), held in windows(by_kind["breakout_outcome"], "entry_time").items():
        pnl = np.array([(float(r["exit_price"]) - r["entry_price"]) * r["quantity"] for r in held])
        slip = [(r["entry_price"] - r["signal_price"]) / r["signal_price"] for r in held if "signal_price" in r]
        told = {"trades": len(pnl), "wins": (pnl > 0).sum(), "total_pnl": pnl.sum(), "avg_pnl": pnl.mean()}
        told |= {"success_rate": 100 * (pnl > 0).mean()} | ({"avg_slippage": np.mean(slip)} if slip else {})
        expected |= {("breakout", name, window, start): float(value) for name, value in told.items()}
    for (window, start), held in windows(by_kind["breakout_signal"], "timestamp").items():
        expected["breakout", "signals", window, start] = len(held)
    for (window, start), held in windows(by_kind["equity"], "timestamp").items():
        curve = np.array([r["account_equity"] for r in sorted(held, key=lambda r: str(r["timestamp"]))])
        falls = np.maximum.accumulate(curve) - curve
        told = {"last_equity": curve[-1], "high": curve.max(), "low": curve.min(), "max_drawdown": falls.max()}
        told |= {"max_drawdown_pct": (100 * falls / np.maximum.accumulate(curve)).max()}
        expected |= {("equity", name, window, start): float(value) for name, value in told.items()}
    for (window, start), held in windows(by_kind["order"], "timestamp").items():
        for status in {r["status"] for r in held}:
            ids = {r["order_id"] for r in held if r["status"] == status}
            expected["order", f"{status}_orders", window, start] = len(ids)
    for (window, start), held in windows(by_kind["latency"], "timestamp").items():
        values = np.array([r["latency_ms"] for r in held])
        told = {"api_calls": len(values), "api_latency_avg_ms": values.mean()}
        for share in (50, 95, 99):
            told[f"api_latency_p{share}_ms"] = np.percentile(values, share, method="inverted_cdf")
        expected |= {("system", name, window, start): float(value) for name, value in told.items()}
    for (window, start), held in windows(by_kind["health"], "timestamp").items():
        errors = max(r["error_count"] for r in held)
        told = {"health_records": len(held), "max_error_count": errors}
        told["healthy_pct"] = 100 * np.mean([r["status"] == "healthy" for r in held])
        expected |= {("system", name, window, start): float(value) for name, value in told.items()}
    return expected


def equal(found: dict[tuple[Any, ...], float], expected: dict[tuple[Any, ...], float]) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert math.isclose(found[key], value, rel_tol=1e-9, abs_tol=1e-9), key


def random_records(seed: int, count: int) -> list[dict[str, Any]]:
    dice = random.Random(seed)
    made = []
    for _ in range(count):
        # whole minutes that differ, so that the last point of a window is known
        at = dice.uniform(2, 60 * 50)
        made += [
            signal(at),
            outcome(round(dice.uniform(90, 110), 2), round(dice.uniform(90, 110), 2), at, quantity=dice.randint(1, 9)),
            outcome(100.5, 101, at, signal_price=round(dice.uniform(99, 102), 2)),
            equity(round(dice.uniform(500, 1500), 2), at),
            order(f"o{dice.randint(1, 30)}", dice.choice(["pending", "filled", "canceled"]), at),
            latency(dice.randint(1, 50) / 2, at),
            health(at, status=dice.choice(["healthy", "error"]), error_count=dice.randint(0, 5)),
        ]
    return made


def test_every_aggregate_equals_an_independent_calculation(client: FlaskClient, settings: Settings) -> None:
    assert settings.database_url is not None
    records = random_records(1, 120)
    take(client, *records)
    outcome_of_run = telemetry_aggregates.run(settings, ())
    assert outcome_of_run.exit_code == 0
    equal(stored(settings.database_url), calculated(records))
    # late records change windows that were computed before
    late = random_records(2, 40)
    take(client, *late)
    take(client, latency(5, profile_id=2))
    assert telemetry_aggregates.run(settings, ()).result["windows"] > 2
    equal(stored(settings.database_url), calculated(records + late))
    assert telemetry_aggregates.run(settings, ()).result["windows"] == 0


def test_a_repeated_batch_marks_nothing(client: FlaskClient, settings: Settings) -> None:
    for _ in range(2):
        send(client, [latency(5)], "b")
    assert settings.database_url is not None
    assert run_sql(settings.database_url, "SELECT count(*) FROM dd_telemetry_dirty") == [(1,)]


def test_a_job_without_its_database_says_so() -> None:
    gone = load({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"})
    assert telemetry_aggregates.run(gone, ()).exit_code == 1
    assert telemetry_aggregates.run(load({}), ()).exit_code == 2
    assert telemetry_aggregates.run(gone, ("extra",)).exit_code == 2


def alert(event: str, minutes: int, trade_id: str = "t1", **more: Any) -> dict[str, Any]:
    told = {"schema_version": "1.0.0", "trade_id": trade_id, "event_type": event, "strategy_id": "NQ_BREAKOUT"}
    return {**told, "event_timestamp": ago(minutes), "symbol": "NQ1!", **more}


@pytest.fixture
def mapped(database_url: str) -> FlaskClient:
    return create_app(
        load({"DATABASE_URL": database_url, "TELEMETRY_STRATEGY_PROFILES": "NQ_BREAKOUT=1, ES=2"})
    ).test_client()


def say(client: FlaskClient, *alerts: dict[str, Any]) -> None:
    for body in alerts:
        assert post(client, body).status_code == 200


ENTRY = alert("ENTRY", 30, direction="LONG", entry_price=100, stop_loss=90)


def test_completed_alert_trades_join_the_report(mapped: FlaskClient) -> None:
    take(mapped, outcome(100, 104))
    say(mapped, ENTRY)
    assert len(read(mapped, "trades/1")) == 1
    say(mapped, alert("EXIT_TAKE_PROFIT", 10, exit_price="115.5"))
    newest, oldest = read(mapped, "trades/1")
    assert (newest["source"], oldest["source"]) == ("telemetry", "alerts")
    assert (oldest["symbol"], oldest["side"], oldest["pnl"]) == ("NQ1!", "long", Decimal("15.5"))
    assert oldest["metadata"]["trade_id"] == "t1"
    report = read(mapped, "trades/1/performance")
    assert (report["total_trades"], report["total_pnl"]) == (2, Decimal("19.5"))
    # a breakout script's own success is told by its own trades
    assert read(mapped, "metrics/breakout/1")["total_trades"] == 1
    assert read(mapped, "trades/2") == []


def test_an_alert_trades_row_follows_its_alerts(mapped: FlaskClient, database_url: str) -> None:
    exit_alert = alert("EXIT_STOP_LOSS", 10, exit_price=90)
    say(mapped, ENTRY, exit_alert)
    assert read(mapped, "trades/1")[0]["pnl"] == -10
    first = read(mapped, "trades/1")[0]["id"]
    # a late alert changes the fold
    say(mapped, alert("MFE_UPDATE", 20, mfe_R="0.5"))
    assert [trade["id"] for trade in read(mapped, "trades/1")] == [first]
    # the trade goes, and its row with it
    run_sql(database_url, "DELETE FROM automated_signals; DELETE FROM trade_summary")
    assert read(mapped, "trades/1") == []


def test_a_changed_mapping_moves_the_rows(mapped: FlaskClient, database_url: str) -> None:
    say(mapped, ENTRY, alert("EXIT_TAKE_PROFIT", 10, exit_price=110))
    assert len(read(mapped, "trades/1")) == 1
    moved = load({"DATABASE_URL": database_url, "TELEMETRY_STRATEGY_PROFILES": "*=7"})
    assert telemetry_aggregates.run(moved, ()).result["alert_trades"] == 2
    other = create_app(moved).test_client()
    assert read(other, "trades/1") == []
    assert [trade["pnl"] for trade in read(other, "trades/7")] == [10]
    equal(stored(database_url), {})


def test_without_a_mapping_alert_trades_stay_out(client: FlaskClient) -> None:
    say(client, ENTRY, alert("EXIT_TAKE_PROFIT", 10, exit_price=110))
    assert read(client, "trades/1") == []


def test_going_back_never_throws_records_away(client: FlaskClient, database_url: str) -> None:
    take(client, latency(5))
    with pytest.raises(migrate.MigrationError, match="telemetry tables hold records"):
        migrate.rollback_to(database_url, "0006.notices")
    assert read(client, "metrics/system/1")[0]["sample_count"] == 1
