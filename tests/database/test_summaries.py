"""Summaries are disposable: whatever happens to them, a rebuild makes them equal a full fold, and says so."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import deploy
from database import rebuild, summaries
from database.pool import Pool
from settings import Settings
from tests.conftest import run_sql
from tests.handlers.test_reads import book, get, order
from tests.handlers.test_signals import post
from tests.handlers.test_trades import alert

__all__ = ["book"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE trade_summary SET trade = '{}'::json WHERE stream_id = 't3'",
        "DELETE FROM trade_summary WHERE stream_id = 't3'",
        "INSERT INTO trade_summary SELECT 'gone', 'gone', status, direction, symbol, strategy_id, strategy, timeframe,"
        " session, trade_time, entry_time, exit_time, last_event_time, realized_r, max_mfe, be_mfe, no_be_mfe, mae,"
        " event_count, anomalies, trade, realized_points, uncertain FROM trade_summary WHERE stream_id = 't3'",
        "DELETE FROM automated_signals WHERE trade_id = 't3' AND event_type = 'MFE_UPDATE'",
    ],
)
def test_a_rebuild_finds_and_repairs_what_is_wrong(book: FlaskClient, settings: Settings, damage: str) -> None:
    url = str(settings.database_url)
    before = get(book, "trades?limit=1000")
    pool = Pool(url, 2)
    assert rebuild.rebuild(pool).differed == []
    run_sql(url, damage)
    found = rebuild.rebuild(pool)
    assert (found.differed, rebuild.rebuild(pool).differed) == (["gone" if "gone" in damage else "t3"], [])
    pool.close()
    if "automated_signals" not in damage:
        assert get(book, "trades?limit=1000") == before


def test_an_alert_that_came_in_between_is_no_difference(book: FlaskClient, settings: Settings) -> None:
    pool = Pool(str(settings.database_url), 2)
    summaries.refresh(pool)
    post(book, alert("t3", "MFE_UPDATE", "2025-11-03T14:40:00Z", mfe_R=9))
    assert rebuild.rebuild(pool).differed == []
    pool.close()
    assert get(book, "trade/t3")["trade"]["max_mfe"] == 9


def test_the_command_says_what_it_found(book: FlaskClient, settings: Settings) -> None:
    environment = {"DATABASE_URL": str(settings.database_url)}
    get(book, "stats")
    well = CliRunner().invoke(deploy.cli, ["rebuild"], env=environment)
    assert (well.exit_code, "Every summary equals its fold." in well.output) == (0, True)
    run_sql(str(settings.database_url), "DELETE FROM trade_summary WHERE stream_id LIKE 'pos~%'")
    wrong = CliRunner().invoke(deploy.cli, ["rebuild"], env=environment)
    assert (wrong.exit_code, "1 differed and were rebuilt: pos~EMA~Cross" in wrong.output) == (1, True)


def test_readers_and_writers_at_once_end_with_right_summaries(client: FlaskClient, settings: Settings) -> None:
    app = client.application

    def write(number: int) -> None:
        post(app.test_client(), order(number, "buy" if number % 2 == 0 else "sell", number % 2, 1 - number % 2, 100))
        post(app.test_client(), alert(f"c{number % 3}", "MFE_UPDATE", "2025-11-03T14:40:00Z", mfe_R=number))

    with ThreadPoolExecutor(6) as threads:
        jobs = [threads.submit(write, number) for number in range(40)]
        jobs += [threads.submit(get, app.test_client(), path) for path in ("stats", "gaps", "events") * 5]
        for job in jobs:
            job.result()
    pool = Pool(str(settings.database_url), 2)
    summaries.refresh(pool)
    assert rebuild.rebuild(pool).differed == []
    pool.close()
    assert get(client, "gaps")["items"] == []
    assert get(client, "stats")["stats"]["total_signals"] == 80
