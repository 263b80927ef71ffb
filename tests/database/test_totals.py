"""The totals that the folds keep, the same counted from summaries, and the same from trades: all equal."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from database import rebuild, signals, summaries, totals
from database.pool import Pool
from settings import Settings
from state.position import trades_of
from state.statistics import measured, outcome_of, summarise
from tests.conftest import run_sql
from tests.handlers.test_reads import book, get, order
from tests.handlers.test_signals import post
from tests.handlers.test_trades import alert
from tests.stretches import Stretch, joined

__all__ = ["book"]


@pytest.fixture
def pool(settings: Settings) -> Iterator[Pool]:
    made = Pool(str(settings.database_url), 2)
    yield made
    made.close()


def from_events(pool: Pool) -> dict[str, Any]:
    """The statistics of a full fold."""
    streams = [str(row[0]) for row in run_sql(pool.url, "SELECT DISTINCT trade_id FROM automated_signals")]
    trades = [trade for one in streams for trade in trades_of(signals.select_events_for_trade(pool, one))[0]]
    return summarise([outcome_of(trade) for trade in trades])


def kept(pool: Pool) -> dict[str, Any]:
    return measured(summaries.select_overview(pool, filters={}).sample)


def counted(pool: Pool) -> dict[str, Any]:
    """The same through a filter that all trades pass, which counts the summaries."""
    everything = ["UNKNOWN", "PENDING", "ACTIVE", "BE_PROTECTED", "COMPLETED", "CANCELLED"]
    return measured(summaries.select_overview(pool, filters={"status": everything}).sample)


def test_totals_follow_every_change(book: FlaskClient, pool: Pool) -> None:
    assert kept(pool) == counted(pool) == from_events(pool)
    # a late arrival cuts position trades anew, an exit moves to another day, a trade goes and comes back
    post(book, order(15, "sell", 1, 0, 20005))
    post(book, alert("t5", "EXIT_TAKE_PROFIT", "2025-11-04T15:00:00Z", exit_price=130))
    post(book, alert("orphan", "ENTRY", "2025-11-10T15:01:00Z", direction="LONG", entry_price=10, stop_loss=9))
    assert kept(pool) == counted(pool) == from_events(pool)
    ids = ["t6", "t7", "twice"]
    assert book.post("/api/automated-signals/delete-trades", json={"trade_ids": ids}).status_code == 200
    assert kept(pool) == counted(pool) == from_events(pool)
    assert book.post("/api/automated-signals/restore-trades", json={"trade_ids": ids[:2]}).status_code == 200
    assert kept(pool) == counted(pool) == from_events(pool)
    assert totals.recount(pool) is True


def test_the_pages_show_the_same_with_and_without_a_filter(book: FlaskClient) -> None:
    plain, filtered = get(book, "dashboard-data"), get(book, "dashboard-data?from=2000-01-01")
    for name in ("stats", "hourly_distribution", "session_breakdown", "active_trades", "completed_trades"):
        assert plain[name] == filtered[name]


def test_many_parts_are_put_together(book: FlaskClient, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept(pool)
    for _ in range(3):
        run_sql(pool.url, "INSERT INTO trade_dirty (trade_id) SELECT DISTINCT trade_id FROM automated_signals")
        post(book, alert("t5", "MFE_UPDATE", "2025-11-05T14:40:00Z", mfe_R="1.5"))
        kept(pool)
    parts = run_sql(pool.url, "SELECT count(*) FROM trade_tally")
    totals.compact(pool)
    assert run_sql(pool.url, "SELECT count(*) FROM trade_tally") == parts
    monkeypatch.setattr(totals, "PARTS", 1)
    totals.compact(pool)
    assert run_sql(pool.url, "SELECT count(*) FROM trade_tally") < parts
    assert kept(pool) == {**before, "total_signals": before["total_signals"] + 1}


def test_older_code_beside_us_is_made_good(book: FlaskClient, pool: Pool) -> None:
    right = kept(pool)
    run_sql(pool.url, "DELETE FROM trade_summary WHERE trade_id = 't6'")
    run_sql(pool.url, "UPDATE trade_summary SET realized_r = realized_r + 1 WHERE trade_id = 't9'")
    assert totals.recount(pool) is False
    assert kept(pool) == counted(pool) != right
    run_sql(pool.url, "INSERT INTO result_month VALUES ('1999-01-01', -100, 0, -100, 100)")
    assert totals.recount(pool) is False
    assert kept(pool) == counted(pool) != right
    assert rebuild.rebuild(pool).differed == ["t6"]
    run_sql(pool.url, "UPDATE trade_tally SET wins = wins + 1 WHERE id = (SELECT min(id) FROM trade_tally)")
    assert rebuild.rebuild(pool).differed == [rebuild.TOTALS]
    assert kept(pool) == right


def test_the_fall_over_days_is_that_of_all_their_results(pool: Pool) -> None:
    chance = random.Random(5)
    days: list[Stretch] = []
    with pool.transaction() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM result_day; DELETE FROM result_month")
        assert totals.select_drawdown(connection, {}) == 0
        for day in range(60):
            results = [Decimal(chance.randint(-300, 300)) / 100 for _ in range(chance.randint(1, 4))]
            one = joined(Stretch(r, max(r, Decimal(0)), min(r, Decimal(0)), max(-r, Decimal(0))) for r in results)
            at = date(2025, 1, 1) + timedelta(days=3 * day)
            row = [at, one.total, one.peak, one.low, one.drawdown]
            cursor.execute("INSERT INTO result_day VALUES (%s, %s, %s, %s, %s)", row)
            totals.count_months(connection, [at])
            days.append(one)
            assert totals.select_drawdown(connection, {}) == joined(days).drawdown
