"""The background's rounds: fold what is quiet, leave alone what is busy, keep the totals short and right."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from database import folding, summaries, totals
from database.folding import Folder
from database.pool import Pool
from database.queries import QUERIES
from settings import Settings
from tests.conftest import run_sql
from tests.handlers.test_reads import get
from tests.handlers.test_signals import post
from tests.handlers.test_trades import alert
from tests.processes import wait_until


@pytest.fixture
def pool(settings: Settings) -> Iterator[Pool]:
    made = Pool(str(settings.database_url), 4)
    yield made
    made.close()


def send(client: FlaskClient, count: int) -> None:
    for number in range(count):
        post(client, alert(f"f{number}", "ENTRY", "2025-11-20T14:30:00Z", entry_price=2, stop_loss=1))


def dirty(pool: Pool) -> int:
    return int(str(run_sql(pool.url, "SELECT count(*) FROM trade_dirty")[0][0]))


def test_it_folds_once_it_is_quiet(client: FlaskClient, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "FEW_MARKS", 2)
    folder = Folder(pool)
    send(client, 5)
    folder.round()
    assert dirty(pool) == 5
    folder.round()
    assert dirty(pool) == 0


def test_a_new_process_counts_the_totals_again(client: FlaskClient, pool: Pool) -> None:
    send(client, 3)
    summaries.refresh(pool)
    run_sql(pool.url, "UPDATE trade_tally SET trades = trades + 1")
    assert get(client, "stats")["stats"]["active_count"] > 3
    Folder(pool).round()
    assert get(client, "stats")["stats"]["active_count"] == 3
    assert totals.recount(pool) is True


def test_one_of_the_processes_that_start_together_counts(client: FlaskClient, pool: Pool) -> None:
    send(client, 3)
    summaries.refresh(pool)
    run_sql(pool.url, "UPDATE trade_tally SET trades = trades + 1")
    with pool.transaction() as another:
        assert QUERIES.totals.try_lock_recount(another)
        Folder(pool).round()
        assert get(client, "stats")["stats"]["active_count"] > 3
    Folder(pool).round()
    assert get(client, "stats")["stats"]["active_count"] == 3


def test_its_thread_works_and_ends(client: FlaskClient, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "ROUND_SECONDS", 0.01)
    folder = Folder(pool)
    folder.start()
    folder.start()
    send(client, 3)
    wait_until(lambda: dirty(pool) == 0, 20, "the fold of three trades")
    folder.stop()
    send(client, 6)
    assert dirty(pool) == 3
    get(client, "stats")
    assert dirty(pool) == 0


def test_two_readers_fold_different_streams(client: FlaskClient, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "FOLD_AT_ONCE", 3)
    send(client, 6)
    with pool.transaction() as one, pool.transaction() as other:
        first = summaries._next_streams(one, set())
        second = summaries._next_streams(other, set())
        assert sorted(first + second) == [f"f{number}" for number in range(6)]


def test_marks_that_come_back_hide_no_other_stream(
    client: FlaskClient, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summaries, "LOOK_AT_ONCE", 4)
    send(client, 6)
    with pool.transaction() as connection:
        assert summaries._next_streams(connection, {"f0", "f1", "f2", "f3"}) != []
    assert summaries.refresh(pool) == 6
