"""The snapshot job: from views to the API, and how it ends when something is wrong."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient

from jobs import posting, trades_sync
from jobs.job import Outcome
from settings import load
from tests.conftest import run_sql
from tests.handlers.test_snapshots import get
from tests.jobs.snapshot_helpers import DAY, seeds, send, served
from tests.processes import ROOT, free_port
from web_server import create_app

TOKEN = "token-1234"
SECRET = "secret-1234"

#: Somebody else's views: other types, a name that needs quotes, NULL, NaN, times without an offset.
FOREIGN = """
CREATE SCHEMA "other stats";
CREATE MATERIALIZED VIEW "other stats"."kpi %s; v.1" AS
    SELECT * FROM (VALUES ('B', NULL, 1, '2026-02-11'), ('A', '72.3%', 2, '2026-02-11'), ('Z', '1', 1, '2026-02-10'))
    AS v (kpi_name, display_value, sort_order, report_date);
CREATE TABLE "other stats".series (kpi_name TEXT, ts TIMESTAMP, value FLOAT8, source TEXT, report_date DATE);
INSERT INTO "other stats".series VALUES
    ('A', '2026-02-11 09:30', 0.1, 'real', '2026-02-11'), ('A', '2026-02-11 10:00', 'NaN', NULL, '2026-02-11'),
    ('A', '2026-02-11 10:30', NULL, NULL, '2026-02-11'), ('A', '2026-02-11 11:00', 'Infinity', NULL, '2026-02-11');
CREATE VIEW "other stats".extremes AS
    SELECT kpi_name, side, rank, trade_id, 'S' AS symbol, 'C' AS contract_name, 'NaN'::numeric AS metric_raw,
    0.1::float8 AS metric_abs, NULL::numeric AS individual_pnl, 1 AS abs_individual_pnl, 1 AS percent_change,
    1 AS cost_basis, 1 AS qty, 1 AS bid_price, 1 AS ask_price, 1 AS mid_price,
    TIMESTAMPTZ '2026-02-11 15:00Z' AS mid_ts, 1 AS mid_mark_pnl, 1 AS liquidity_drag, DATE '2026-02-11' AS report_date
    FROM (VALUES ('A', 'hi', 1, 7), ('A', 'LO', 2, 8), ('A', 'middle', 1, 9)) AS v (kpi_name, side, rank, trade_id);
CREATE VIEW "other stats".portfolio AS
    SELECT n AS trade_id, 'S' AS symbol, 'C' AS contract_name, DATE '2026-02-11' AS report_date
    FROM generate_series(1, 3) AS n;
"""
FOREIGN_NAMES = {
    "MV_KPI_TABLE": '"other stats"."kpi %s; v.1"',
    "MV_SERIES_TABLE": '"other stats".series',
    "MV_EXTREMES_TABLE": "other stats.extremes",
    "MV_PORTFOLIO_TABLE": "other stats.portfolio",
}


@pytest.fixture
def target(database_url: str) -> Iterator[tuple[str, FlaskClient]]:
    """A served application with a token and a signing secret, and a client that may read it."""
    keys = {"INTERNAL_TOKEN": TOKEN, "SIGNING_SECRET": SECRET}
    app = create_app(load({"DATABASE_URL": database_url, "LOG_LEVEL": "ERROR", **keys}))
    with served(app) as url:
        yield url, app.test_client()


@pytest.fixture
def foreign_url(empty_database_url: str) -> str:
    run_sql(empty_database_url, FOREIGN)
    return empty_database_url


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    real = posting.post
    monkeypatch.setattr(trades_sync, "post", lambda *args, **named: real(*args, pause=lambda seconds: None, **named))


def run(environ: dict[str, str], *arguments: str) -> Outcome:
    return trades_sync.run(load(environ), arguments)


def environ(source: str, url: str, **more: str) -> dict[str, str]:
    return {
        "SYNC_DATABASE_URL": source,
        "HAIPHEN_API_URL": f"{url}/",
        "INTERNAL_TOKEN": TOKEN,
        "SIGNING_SECRET": SECRET,
        **more,
    }


def test_our_own_trades_from_the_webhook_to_the_readers(target: tuple[str, FlaskClient], database_url: str) -> None:
    url, client = target
    send(client, seeds(30))
    outcome = run(environ(database_url, url), "--date", DAY)
    assert (outcome.exit_code, outcome.result["answer"]["dropped"]) == (0, [])
    assert get(client, f"/v1/metrics/kpis?date={DAY}")["items"][1]["value_num"] == 30
    for path in ("series?kpi=Daily R", "extremes?kpi=Daily R&side=lo", "portfolio-assets?limit=2000"):
        answer = get(client, f"/v1/metrics/{path}")
        assert answer.get("points") or answer["items"]


def test_somebody_elses_views(target: tuple[str, FlaskClient], foreign_url: str) -> None:
    url, client = target
    outcome = run(environ(foreign_url, url, **FOREIGN_NAMES), "--date", "2026-02-11")
    assert outcome.exit_code == 0, outcome.result
    assert outcome.result["left_out"] == {"series_nan": 2, "extremes_nan": 2, "extremes_side": 1}
    assert outcome.result["answer"]["dropped"] == [
        {"path": "overlay.seriesByKpi.A[1]", "reason": "no finite value"}  # NULL stayed null, and is no 0
    ]
    kpis = get(client, "/v1/metrics/kpis")["items"]
    assert [(row["kpi"], row["value_num"]) for row in kpis] == [("B", None), ("A", Decimal("72.3"))]
    assert get(client, "/v1/metrics/series?kpi=A")["points"] == [
        {"t": "2026-02-11T14:30:00Z", "v": Decimal("0.1"), "src": "real"}
    ]
    item = get(client, "/v1/metrics/extremes?kpi=A&side=lo")["items"][0]
    assert (item["rank"], item["trade_id"], item["metric_raw"], item["metric_abs"], item["individual_pnl"]) == (
        2, 8, None, Decimal("0.1"), None,
    )  # fmt: skip
    assert item["mid_ts"] == "2026-02-11T15:00:00Z"
    assets = get(client, "/v1/metrics/portfolio-assets")["items"]
    assert [item["trade_id"] for item in assets] == [3, 2, 1]


def test_the_views_are_read_as_of_one_moment(target: tuple[str, FlaskClient], foreign_url: str) -> None:
    run_sql(
        foreign_url,
        "CREATE VIEW isolation AS SELECT 'level' AS kpi_name, 1 AS sort_order,"
        " current_setting('transaction_isolation') AS display_value, DATE '2026-02-11' AS report_date",
    )
    named = environ(foreign_url, target[0], **{**FOREIGN_NAMES, "MV_KPI_TABLE": "public.isolation"})
    assert run(named, "--date", "2026-02-11").exit_code == 0
    assert get(target[1], "/v1/metrics/kpis")["items"][0]["value_text"] == "repeatable read"


def test_refresh_of_views_that_are_materialized(target: tuple[str, FlaskClient], foreign_url: str) -> None:
    named = environ(foreign_url, target[0], **FOREIGN_NAMES)
    without_index = run(named, "--date", "2026-02-11", "--refresh")
    assert (without_index.exit_code, "concurrently" in without_index.result["reason"]) == (3, True)
    run_sql(foreign_url, 'CREATE UNIQUE INDEX ON "other stats"."kpi %s; v.1" (report_date, kpi_name)')
    assert run(named, "--date", "2026-02-11", "--refresh").result["refreshed"] == 1
    run_sql(foreign_url, 'REFRESH MATERIALIZED VIEW "other stats"."kpi %s; v.1" WITH NO DATA')
    assert run(named, "--date", "2026-02-11", "--refresh").exit_code == 0


def test_a_refresh_sees_the_newest_trades(target: tuple[str, FlaskClient], database_url: str) -> None:
    url, client = target
    trades = seeds(12)
    for number in (4, 12):
        send(client, trades[:number])
        assert run(environ(database_url, url), "--date", DAY).exit_code == 0
        assert get(client, "/v1/metrics/kpis")["items"][1]["value_num"] == number
    send(client, seeds(14))
    assert run(environ(database_url, url), "--date", DAY, "--no-refresh").exit_code == 0
    assert get(client, "/v1/metrics/kpis")["items"][1]["value_num"] == 12


def test_a_day_without_anything_overwrites_nothing(target: tuple[str, FlaskClient], foreign_url: str) -> None:
    url, client = target
    named = environ(foreign_url, url, **FOREIGN_NAMES)
    assert run(named, "--date", "2026-02-12").exit_code == 5
    get(client, "/v1/metrics/daily", 404)


def test_dry_run_posts_nothing(target: tuple[str, FlaskClient], foreign_url: str) -> None:
    url, client = target
    outcome = run(environ(foreign_url, url, **FOREIGN_NAMES), "--date", "2026-02-11", "--dry-run")
    assert outcome.exit_code == 0
    assert outcome.result["counts"] == {"kpis": 2, "series_points": 4, "extremes": 3, "portfolio_assets": 3}
    get(client, "/v1/metrics/daily", 404)


@pytest.mark.parametrize(
    ("change", "status"), [({"INTERNAL_TOKEN": "wrong-token"}, 401), ({"SIGNING_SECRET": "wrong-secret"}, 401),
                           ({"SNAPSHOT_ENDPOINT": "/nowhere"}, 404)]
)  # fmt: skip
def test_refused(target: tuple[str, FlaskClient], foreign_url: str, change: dict[str, str], status: int) -> None:
    outcome = run({**environ(foreign_url, target[0], **FOREIGN_NAMES), **change}, "--date", "2026-02-11")
    assert (outcome.exit_code, outcome.result["status"], outcome.result["attempts"]) == (1, status, 1)


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        ({"SYNC_DATABASE_URL": ""}, ()),
        ({"INTERNAL_TOKEN": "", "HAIPHEN_API_URL": "https://elsewhere.example"}, ()),
        ({}, ("--date", "2026-13-45")),
        ({}, ("--unknown",)),
        ({}, ("--fallback-direct",)),
    ],
)
def test_configuration_faults(change: dict[str, str], arguments: tuple[str, ...], tmp_path: Any) -> None:
    given = {**environ("postgresql://nobody@127.0.0.1:1/none", "http://127.0.0.1:1"), **change}
    assert run({**given, "ALERTBOOK_DATA_DIR": str(tmp_path)}, *arguments).exit_code == 2


@pytest.mark.parametrize(
    "change", [{"MV_KPI_TABLE": "nobody.knows"}, {"SYNC_DATABASE_URL": "postgresql://127.0.0.1:1/none"}]
)
def test_source_faults(target: tuple[str, FlaskClient], foreign_url: str, change: dict[str, str]) -> None:
    outcome = run({**environ(foreign_url, target[0], **FOREIGN_NAMES), **change}, "--date", "2026-02-11")
    assert outcome.exit_code == 3
    assert outcome.result["reason"]


def test_an_unreachable_target_and_the_way_round_it(foreign_url: str, database_url: str) -> None:
    named = environ(foreign_url, f"http://127.0.0.1:{free_port()}", **FOREIGN_NAMES)
    outcome = run(named, "--date", "2026-02-11")
    assert (outcome.exit_code, outcome.result["attempts"], outcome.result["status"]) == (4, 4, 0)
    named["TARGET_DATABASE_URL"] = database_url
    assert run(named, "--date", "2026-02-11", "--fallback-direct").exit_code == 0
    reader = create_app(load({"DATABASE_URL": database_url, "LOG_LEVEL": "ERROR"})).test_client()
    assert len(get(reader, "/v1/metrics/kpis?date=2026-02-11")["items"]) == 2
    run_sql(database_url, "UPDATE metrics_daily SET updated_at = updated_at + INTERVAL '1 day'")
    assert run(named, "--date", "2026-02-11", "--fallback-direct").exit_code == 1
    named["TARGET_DATABASE_URL"] = "postgresql://127.0.0.1:1/none"
    assert run(named, "--date", "2026-02-11", "--fallback-direct").exit_code == 4


def answering(statuses: list[int], seen: list[Any]) -> Flask:
    """A server that answers with these statuses in turn."""
    app = Flask("other")

    @app.post("/v1/internal/trades/snapshot")
    def take() -> Response:
        seen.append((request.headers, request.get_data()))
        status = statuses[min(len(seen), len(statuses)) - 1]
        return Response("{}", status, headers={"Location": "/elsewhere", "Retry-After": "7"})

    return app


@pytest.mark.parametrize(
    ("statuses", "exit_code", "attempts"),
    [([503, 502, 200], 0, 3), ([429, 200], 4, 1), ([500], 4, 4), ([422], 1, 1), ([302], 1, 1), ([503, 409], 1, 2)],
)
def test_what_is_tried_again(foreign_url: str, statuses: list[int], exit_code: int, attempts: int) -> None:
    seen: list[Any] = []
    with served(answering(statuses, seen)) as url:
        outcome = run(environ(foreign_url, url, **FOREIGN_NAMES), "--date", "2026-02-11")
    assert (outcome.exit_code, len(seen)) == (exit_code, attempts)
    headers, body = seen[0]
    assert headers["X-Internal-Token"] == TOKEN
    assert headers["X-Signature"] == hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert all(again == body for _, again in seen)  # the same snapshot, so a repeat is recognised


def test_pauses_grow_and_follow_the_server() -> None:
    pauses: list[float] = []
    reply = posting.post(f"http://127.0.0.1:{free_port()}/", b"{}", {}, pause=pauses.append)
    assert (reply.status, reply.attempts, len(pauses)) == (0, 4, 3)
    assert 0.8 <= pauses[0] <= 1.2 < pauses[1] <= 2.4 < pauses[2] <= 4.8
    pauses.clear()
    with served(answering([503, 200], [])) as url:
        posting.post(f"{url}/v1/internal/trades/snapshot", b"{}", {}, pause=pauses.append)
    assert pauses == [7.0]


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2026, 2, 12, 2, 30, tzinfo=UTC), "2026-02-11"),  # 21:30 in New York
        (datetime(2026, 7, 2, 3, 59, tzinfo=UTC), "2026-07-01"),
        (datetime(2026, 7, 2, 4, 0, tzinfo=UTC), "2026-07-02"),
    ],
)
def test_the_day_is_new_yorks(monkeypatch: pytest.MonkeyPatch, now: datetime, day: str) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return now

    monkeypatch.setattr(trades_sync, "datetime", Clock)
    settings = load({"DATABASE_URL": "postgresql://127.0.0.1:1/none"})
    assert str(trades_sync.plan(settings, ()).day) == day


def test_the_command_line(target: tuple[str, FlaskClient], foreign_url: str) -> None:
    named = environ(foreign_url, target[0], **FOREIGN_NAMES)
    done = subprocess.run(
        [sys.executable, "-m", "jobs", "run", "trades-sync", "--date", "2026-02-11"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **named},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, lines[-1]["exit_code"]) == (0, 0), done.stderr
    assert [line["event"] for line in lines[:-1]] == ["started", "read", "posted"]
    assert TOKEN not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
