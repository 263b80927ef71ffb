"""The pool waits with a deadline, rolls back, and throws broken connections away."""

import threading
from collections.abc import Iterator

import psycopg2
import pytest

from database import driver
from database.pool import Pool
from errors import PoisonRow, QueryBug, RetryableDatabaseError, TransactionConflict, Unavailable
from tests.conftest import run_sql


@pytest.fixture
def pool(direct_url: str) -> Iterator[Pool]:
    """Connections of the server itself, whose ends are seen; a pooler keeps them to itself."""
    made = Pool(direct_url, 2)
    yield made
    made.close()


def query(pool: Pool, statement: str) -> list[tuple[object, ...]]:
    with pool.transaction() as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]


def test_connections_are_used_again(pool: Pool) -> None:
    assert query(pool, "SELECT pg_backend_pid()") == query(pool, "SELECT pg_backend_pid()")


def test_an_error_rolls_back(pool: Pool, database_url: str) -> None:
    with pytest.raises(RuntimeError), pool.transaction() as connection:
        connection.cursor().execute("INSERT INTO trade_dirty (trade_id) VALUES ('x')")
        raise RuntimeError
    assert run_sql(database_url, "SELECT count(*) FROM trade_dirty") == [(0,)]
    assert query(pool, "SELECT 1") == [(1,)]


def test_statements_stand_alone_and_transactions_do_not(pool: Pool, database_url: str) -> None:
    mark = "INSERT INTO trade_dirty (trade_id) VALUES ('x')"
    with pytest.raises(RuntimeError), pool.statements() as connection:
        connection.cursor().execute(mark)
        raise RuntimeError
    assert run_sql(database_url, "SELECT count(*) FROM trade_dirty") == [(1,)]
    # the same connection, lent for a transaction, is in one again
    with pytest.raises(RuntimeError), pool.transaction() as connection:
        connection.cursor().execute(mark)
        raise RuntimeError
    assert run_sql(database_url, "SELECT count(*) FROM trade_dirty") == [(1,)]
    with pytest.raises(QueryBug), pool.statements() as connection:
        connection.cursor().execute("SELECT * FROM nowhere")
    assert query(pool, "SELECT 1") == [(1,)]


def test_a_full_pool_waits_and_then_says_so(pool: Pool) -> None:
    with pool.transaction(), pool.transaction(), pytest.raises(Unavailable), pool.transaction(timeout=0.05):
        pass
    assert query(pool, "SELECT 1") == [(1,)]


def test_a_waiter_gets_what_becomes_free(pool: Pool) -> None:
    found: list[list[tuple[object, ...]]] = []
    with pool.transaction(), pool.transaction():
        waiter = threading.Thread(target=lambda: found.append(query(pool, "SELECT 1")))
        waiter.start()
    waiter.join(5)
    assert found == [[(1,)]]


def test_a_broken_connection_is_thrown_away(pool: Pool, direct_url: str) -> None:
    query(pool, "SELECT 1")
    run_sql(
        direct_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    with pytest.raises(RetryableDatabaseError):
        query(pool, "SELECT 1")
    assert query(pool, "SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT * FROM nowhere", QueryBug),
        ("SELECT 'x'::int", PoisonRow),
        ("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40P01'; END $$", TransactionConflict),
        ("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '53100'; END $$", RetryableDatabaseError),
        ("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '25006'; END $$", RetryableDatabaseError),
        ("SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)", RetryableDatabaseError),
    ],
)
def test_errors_are_told_apart_by_sqlstate(pool: Pool, statement: str, expected: type[Exception]) -> None:
    with pytest.raises(expected) as caught:
        query(pool, statement)
    assert type(caught.value) is expected
    assert query(pool, "SELECT 1") == [(1,)]


def test_no_answer_without_a_state_is_retryable() -> None:
    assert type(driver.translate(psycopg2.Error())) is RetryableDatabaseError
    assert type(driver.translate(psycopg2.OperationalError("gone"))) is RetryableDatabaseError


@pytest.mark.parametrize("text", ["nul\x00", "half a pair \ud800"])
def test_text_that_cannot_be_written(pool: Pool, text: str) -> None:
    with pytest.raises(PoisonRow), pool.transaction() as connection:
        connection.cursor().execute("SELECT %s", (text,))


def test_other_value_errors_stay_what_they_are(pool: Pool) -> None:
    with pytest.raises(ValueError, match="ours"), pool.transaction():
        raise ValueError("ours")
