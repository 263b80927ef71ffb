"""Retention and the results of trades: the job, the loop's turn, and the feed behind the webhook."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from database.pool import Pool
from database.queries import QUERIES
from jobs import retention, trade_kpis
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
    pool = Pool(database_url, 1)
    with pool.transaction() as turn:
        assert QUERIES.retention.try_alone(turn)
        outcome = retention.run(settings(database_url, tmp_path, RETENTION_ENABLED="yes"), ())
    assert outcome.result == {"ran": False, "why": "another run is at work"}
    pool.close()


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
