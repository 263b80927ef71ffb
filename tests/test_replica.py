"""Lists and figures from a real streaming replica: what it may answer, and when the primary steps in."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from database.accounts import needed_account
from database.embedded import EmbeddedPostgres, binary
from database.replica import PoolWithReplica, begin, behind
from handlers.services import services
from settings import load
from tests.conftest import run_sql, url_for
from tests.processes import wait_until
from web_server import create_app

WEBHOOK = "/api/automated-signals/webhook"
TRADES = "/api/automated-signals/trades"
MAX_LAG = 1


@pytest.fixture(scope="module")
def replica(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A replica of the tests' whole server, streaming from it."""
    data = tmp_path_factory.mktemp("replica")
    cluster = data / "postgres"
    source = url_for(server, "postgres")
    copying = [str(binary("pg_basebackup")), "-d", source, "-D", str(cluster), "-R", "-c", "fast"]
    subprocess.run(copying, check=True, capture_output=True)
    account = needed_account(cluster)
    if account is not None:
        for path in (cluster, *cluster.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    postgres = EmbeddedPostgres(data, settings={"max_connections": "300", "fsync": "off"})
    postgres.start()
    yield postgres
    postgres.stop()


@pytest.fixture
def replica_url(replica: EmbeddedPostgres, direct_url: str) -> str:
    """The same database on the replica, once it has come that far."""
    url = url_for(replica.url, direct_url.partition("?")[0].rpartition("/")[2])
    written = run_sql(direct_url, "SELECT pg_current_wal_flush_lsn()::text")[0][0]
    caught_up = f"SELECT pg_last_wal_replay_lsn() >= '{written}'::pg_lsn"
    wait_until(lambda: run_sql(replica.url, caught_up) == [(True,)], 30, "the replica")
    return url


@pytest.fixture
def app(database_url: str, replica_url: str, tmp_path: Path) -> Iterator[Flask]:
    environment = {"DATABASE_URL": database_url, "DATABASE_READ_URL": replica_url, "ALERTBOOK_DATA_DIR": str(tmp_path)}
    made = create_app(load({**environment, "DATABASE_READ_MAX_LAG_SECONDS": str(MAX_LAG)}))
    yield made
    with made.app_context():
        services().close()


def post(client: FlaskClient, name: str) -> None:
    answer = client.post(WEBHOOK, json={"type": "ENTRY", "signal_id": name, "entry_price": 20500})
    assert answer.status_code == 200


def listed(client: FlaskClient) -> tuple[set[str], str | None]:
    answer = client.get(TRADES)
    assert answer.status_code == 200
    return {trade["trade_id"] for trade in answer.get_json()["items"]}, answer.headers.get("X-Replica-Lag")


def caught_up(client: FlaskClient, names: set[str]) -> bool:
    trades, lag = listed(client)
    return trades == names and lag is not None


READS = (
    "automated-signals/stats",
    "automated-signals/dashboard-data",
    "automated-signals/hub-data",
    "automated-signals/integrity-report",
    "automated-signals/gaps",
    "automated-signals/recent",
    "automated-signals/trades",
)

PRIMARY_READS = (
    "automated-signals/trade/one",
    "automated-signals/events",
    "governance/go-live/state",
    "governance/risk/policies",
    "governance/risk/ledger/today",
)


def test_lists_and_figures_come_from_the_replica_and_say_how_old_they_are(client: FlaskClient) -> None:
    post(client, "one")
    wait_until(lambda: caught_up(client, {"one"}), 20, "the alert on the replica")
    for path in READS:
        answer = client.get(f"/api/{path}")
        assert answer.status_code == 200
        assert 0 <= float(answer.headers["X-Replica-Lag"]) <= MAX_LAG, path


def test_trades_switches_and_caps_never_come_from_it(client: FlaskClient) -> None:
    post(client, "one")
    wait_until(lambda: caught_up(client, {"one"}), 20, "the alert on the replica")
    for path in PRIMARY_READS:
        answer = client.get(f"/api/{path}")
        assert answer.status_code == 200
        assert "X-Replica-Lag" not in answer.headers, path


def test_a_replica_too_far_behind_is_passed_over(client: FlaskClient, replica: EmbeddedPostgres) -> None:
    post(client, "one")
    wait_until(lambda: caught_up(client, {"one"}), 20, "the alert on the replica")
    run_sql(replica.url, "SELECT pg_wal_replay_pause()")
    try:
        post(client, "two")
        # what it cannot know yet is missing from its answers for no longer than it may be behind
        wait_until(lambda: listed(client) == ({"one", "two"}, None), 10 * MAX_LAG, "the primary's answer")
    finally:
        run_sql(replica.url, "SELECT pg_wal_replay_resume()")
    wait_until(lambda: caught_up(client, {"one", "two"}), 20, "the replica's return")


def test_a_server_that_is_no_replica_is_not_read(database_url: str) -> None:
    begin()
    pool = PoolWithReplica(database_url, 2, replica_url=database_url, max_lag=MAX_LAG)
    assert pool.read(lambda connection: str(connection.info.dbname)).startswith("test_")
    assert behind() is None
    pool.close()


def test_without_its_replica_the_primary_answers(database_url: str, tmp_path: Path) -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    environment = {"DATABASE_URL": database_url, "DATABASE_READ_URL": away, "ALERTBOOK_DATA_DIR": str(tmp_path)}
    client = create_app(load(environment)).test_client()
    post(client, "one")
    for _ in range(2):
        assert listed(client) == ({"one"}, None)


def test_a_query_that_the_replica_cannot_answer_is_asked_again(database_url: str, replica_url: str) -> None:
    pool = PoolWithReplica(database_url, 2, replica_url=replica_url, max_lag=MAX_LAG)
    asked: list[bool] = []

    def read(connection: object) -> bool:
        with connection.cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute("SELECT pg_is_in_recovery()")
            (on_replica,) = cursor.fetchone()
            asked.append(on_replica)
            if on_replica:  # as when its replay needs rows that the query still reads
                cursor.execute("CREATE TABLE none (n int)")
        return True

    wait_until(lambda: pool.read(read) and True in asked, 20, "a read of the replica")
    assert asked[-2:] == [True, False]
    pool.close()
