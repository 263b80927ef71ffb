"""Retention and the results of trades: the job, the loop's turn, and the feed behind the webhook."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import jobs
from database import jobs as store
from database import telemetry_aggregates
from database.pool import Pool
from jobs import background, retention, running, trade_kpis
from jobs.__main__ import main
from settings import Settings, load
from tests.conftest import run_sql
from tests.processes import wait_until
from web_server import create_app

OLD = """
INSERT INTO kpi_event (domain, metric, success, created_at)
SELECT 'D', 'm', TRUE, clock_timestamp() - interval '1 day' * n FROM generate_series(1, 2500) AS n
"""


def settings(url: str, folder: Path, **environ: str) -> Settings:
    return load({"DATABASE_URL": url, "ALERTBOOK_DATA_DIR": str(folder), **environ})


def test_retention_removes_what_is_past_its_days_and_reports_it(database_url: str, tmp_path: Path) -> None:
    run_sql(database_url, OLD)
    run_sql(database_url, "DROP TABLE IF EXISTS telemetry_events")
    for name, days in (("app.jsonl", 0), ("app.jsonl.1", 13), ("app.jsonl.2", 15), ("other.jsonl", 99)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - days * 86_400,) * 2)
    given = {"RETENTION_ENABLED": "true", "RETENTION_KPI_DAYS": "100", "LOG_JSON_PATH": str(tmp_path / "app.jsonl")}
    outcome = retention.run(settings(database_url, tmp_path, **given), ())
    assert outcome.exit_code == 0
    assert outcome.result["removed"] == {"kpi_events": 2401, "telemetry": 0, "receipts": 0, "log_files": 1}
    assert run_sql(database_url, "SELECT count(*) FROM kpi_event") == [(99,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.jsonl", "app.jsonl.1", "other.jsonl"]


@pytest.mark.parametrize(
    ("environ", "why"),
    [({}, "RETENTION_ENABLED is not set"), ({"RETENTION_ENABLED": "1", "RETENTION_KPI_DAYS": "0"}, None)],
)
def test_retention_removes_nothing_unless_told_to(
    database_url: str, tmp_path: Path, environ: Mapping[str, str], why: str | None
) -> None:
    run_sql(database_url, OLD)
    assert retention.run(settings(database_url, tmp_path, **environ), ()).result.get("why") == why
    assert run_sql(database_url, "SELECT count(*) FROM kpi_event") == [(2500,)]


def test_one_retention_at_a_time(database_url: str, tmp_path: Path) -> None:
    run_sql(database_url, OLD)
    pool = Pool(database_url, 1)
    assert store.take_lease(pool, "retention", "another", 60)
    pool.close()
    on = settings(database_url, tmp_path, RETENTION_ENABLED="yes")
    assert running.run(retention.JOB, on, (), now=datetime.now(UTC)) == running.BUSY
    assert run_sql(database_url, "SELECT count(*) FROM kpi_event") == [(2500,)]


#: Two profiles with a row of each kind of telemetry on each of the last 12 days, an hour before midnight (UTC).
TELEMETRY = """
CREATE TEMPORARY TABLE days AS
SELECT p AS profile, n, now() - interval '1 day' * n - interval '1 hour' AS sent,
    date_trunc('day', now(), 'UTC') - interval '1 day' * n - interval '1 hour' AS at
FROM generate_series(1, 2) AS p, generate_series(0, 11) AS n;
INSERT INTO dd_breakout_signals (profile_id, recorded_at, symbol, direction, bar_strength, close_price, candle_size,
    volume, created_at) SELECT profile, at, 'NQ', 'up', 1, 1, 1, 1, at FROM days;
INSERT INTO dd_order_metrics (profile_id, recorded_at, order_id, script_name, symbol, order_type, side, status,
    quantity, created_at) SELECT profile, at, 'o' || n, 's', 'NQ', 'limit', 'buy', 'pending', 1, at FROM days;
INSERT INTO dd_order_metrics (profile_id, recorded_at, order_id, script_name, symbol, order_type, side, status,
    quantity, created_at) SELECT 1, now(), 'o11', 's', 'NQ', 'limit', 'buy', 'filled', 1, now();
INSERT INTO dd_orders (profile_id, order_id, status, status_rank, status_at, first_at)
    SELECT profile, 'o' || n, 'pending', 1, at, at FROM days;
INSERT INTO dd_api_latency (profile_id, recorded_at, script_name, latency_ms, created_at)
    SELECT profile, at, 's', 1, at FROM days;
INSERT INTO dd_system_health (profile_id, recorded_at, script_name, status, error_count, warning_count, created_at)
    SELECT profile, at, 's', 'healthy', 0, 0, at FROM days;
INSERT INTO dd_equity_points (profile_id, recorded_at, account_equity, unrealized_pnl, realized_pnl, margin_used,
    margin_available, open_positions_count, created_at) SELECT profile, at, 1, 0, 0, 0, 0, 0, at FROM days;
INSERT INTO dd_trade_performance (profile_id, symbol, trade_type, side, entry_price, exit_price, quantity, multiplier,
    pnl, entry_time, exit_time, duration_seconds, source, created_at)
    SELECT profile, 'NQ', 'breakout', 'long', 1, 2, 1, 1, 1, at, at, 0, 'telemetry', at FROM days;
INSERT INTO dd_telemetry_batch (profile_id, batch_id, body_hash, accepted, received_at)
    SELECT profile, 'b' || n, '', 1, sent FROM days;
INSERT INTO dd_telemetry_dirty (profile_id, hour) SELECT profile, at FROM days;
INSERT INTO telemetry_events (kind, created_at) SELECT 'k', sent FROM days;
INSERT INTO receipt (kind, body_hash, status, peer, received_at) SELECT 'repeat', '', 200, '', sent FROM days;
"""
RAW = ("dd_breakout_signals", "dd_order_metrics", "dd_orders", "dd_api_latency", "dd_system_health")
KEPT = ("dd_equity_points", "dd_trade_performance")


def rows_of(url: str, table: str) -> Any:
    return run_sql(url, f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608


def aggregates(url: str) -> Any:
    columns = "profile_id, metric_type, metric_name, window_type, window_start, metric_value, sample_count"
    return run_sql(url, f"SELECT {columns} FROM dd_telemetry_metrics ORDER BY 1, 2, 3, 4, 5")  # noqa: S608


def test_raw_telemetry_goes_and_records_of_money_stay(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("database.governance.retention.BATCH", 3)
    run_sql(database_url, TELEMETRY)
    pool = Pool(database_url, 1)
    telemetry_aggregates.recompute(pool)
    given = {"RETENTION_ENABLED": "1", "RETENTION_TELEMETRY_DAYS": "5", "RETENTION_RECEIPT_DAYS": "8"}
    outcome = retention.run(settings(database_url, tmp_path, **given), ())
    left = aggregates(database_url)
    # days 5 to 11 of 12 are gone; an order goes when the last of its records has gone
    assert [rows_of(database_url, table) for table in RAW] == [10, 11, 11, 10, 10]
    assert [rows_of(database_url, table) for table in KEPT] == [24, 24]
    assert [rows_of(database_url, table) for table in ("dd_telemetry_batch", "receipt")] == [16, 16]
    assert outcome.result["removed"]["receipts"] == 16
    # what is left of the aggregates is what the records that are left give, to the last row
    run_sql(
        database_url,
        "INSERT INTO dd_telemetry_dirty (profile_id, hour) SELECT DISTINCT profile_id, window_start "
        "FROM dd_telemetry_metrics",
    )
    telemetry_aggregates.recompute(pool)
    pool.close()
    assert left == aggregates(database_url)
    assert any(row[1] == "equity" for row in left)
    assert retention.run(settings(database_url, tmp_path, **given), ()).result["removed"]["telemetry"] == 0


def test_a_run_that_is_halted_leaves_the_rest_to_the_next(database_url: str, tmp_path: Path) -> None:
    run_sql(database_url, OLD)
    on = settings(database_url, tmp_path, RETENTION_ENABLED="1", RETENTION_KPI_DAYS="100")
    asked = iter([False, True])
    outcome = retention.run(on, (), halted=lambda: next(asked, True))
    assert outcome.result["removed"]["kpi_events"] == 1000
    assert retention.run(on, ()).result["removed"]["kpi_events"] == 1401


def test_the_server_runs_it_by_itself_once_per_turn(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "LOOK_SECONDS", 0.02)
    run_sql(database_url, OLD)
    on = settings(database_url, tmp_path, RETENTION_ENABLED="1", RETENTION_KPI_DAYS="100")
    workers = [jobs.start_behind(on)[-1] for _ in range(3)]

    def done() -> bool:
        return run_sql(database_url, "SELECT status FROM job_runs WHERE job = 'retention'") == [("done",)]

    wait_until(done, 20, "a run of retention")
    for _ in range(10):
        assert done()
        time.sleep(0.02)
    run_sql(database_url, "UPDATE job_lease SET expires_at = now() WHERE name = 'retention-turn'")
    wait_until(lambda: rows_of(database_url, "job_runs") == 2, 20, "the run of the next turn")
    for worker in workers:
        worker.stop()
    assert rows_of(database_url, "kpi_event") == 99


def test_without_the_setting_nothing_runs(database_url: str, tmp_path: Path) -> None:
    assert retention.turn(settings(database_url, tmp_path)) is None


def test_the_jobs_start_by_their_names(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    for name in ("retention", "trade_kpis"):
        done = CliRunner().invoke(main, ["run", name])
        assert (done.exit_code, '"ran":false' in done.output) == (0, True)
    on = settings(database_url, tmp_path, KPI_FROM_TRADES="true")
    assert trade_kpis.run(on, ()).result == {"ran": True, "trades": 0}


def test_a_completed_trade_is_an_outcome_soon_after_its_last_alert(database_url: str, tmp_path: Path) -> None:
    client = create_app(settings(database_url, tmp_path, KPI_FROM_TRADES="true")).test_client()

    def send(**alert: Any) -> None:
        body = {"trade_id": "t", "strategy_id": "nq", "direction": "Bullish", "stop_loss": 90, **alert}
        assert client.post("/api/automated-signals/webhook", json=body).status_code == 200

    send(event_type="ENTRY", entry_price=100)
    send(event_type="EXIT_TP", exit_price=125)

    def recorded() -> bool:
        rows = run_sql(database_url, "SELECT domain, metric, success, value FROM kpi_event ORDER BY metric")
        return [(row[0], row[1], row[2]) for row in rows] == [("NQ", "realized_r", None), ("NQ", "win", True)]

    wait_until(recorded, 15, "the trade's outcome")
