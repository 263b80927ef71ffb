"""`deploy.py distribute`: why it refuses, and what it asks of a Citus coordinator.

A real one cannot be installed by the tests: what stands in for it here takes the calls and writes them down.
"""

import pytest
from click.testing import Result

from database.citus import HOT, where_it_runs
from database.distribution import TABLES, anchor, tables
from tests.conftest import run_sql
from tests.test_deploy import run

#: The parts of Citus that are asked or called, over plain tables.
STAND_IN = """
SET allow_system_table_mods = on;
INSERT INTO pg_extension VALUES (99999, 'citus', 10, 11, false, '{version}', NULL, NULL);
CREATE TABLE calls (n SERIAL, call TEXT);
CREATE TABLE pg_dist_local_group (groupid INT);
INSERT INTO pg_dist_local_group VALUES ({group});
CREATE TABLE pg_dist_node (isactive BOOLEAN, shouldhaveshards BOOLEAN, noderole TEXT);
INSERT INTO pg_dist_node SELECT true, true, 'primary' FROM generate_series(1, {workers});
CREATE TABLE citus_tables (table_name REGCLASS, citus_table_type TEXT, distribution_column TEXT);
CREATE FUNCTION create_reference_table(t REGCLASS) RETURNS void LANGUAGE sql AS $$
    INSERT INTO citus_tables VALUES (t, 'reference', '<none>');
    INSERT INTO calls (call) VALUES ('reference ' || t)
$$;
CREATE FUNCTION create_distributed_table(t REGCLASS, by TEXT, colocate_with TEXT) RETURNS void LANGUAGE sql AS $$
    INSERT INTO citus_tables VALUES (t, 'distributed', by);
    INSERT INTO calls (call) VALUES (t || ' by ' || by || ' with ' || colocate_with)
$$;
CREATE FUNCTION truncate_local_data_after_distributing_table(t REGCLASS) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'TRUNCATE ' || t;
    INSERT INTO calls (call) VALUES ('truncate ' || t);
END
$$
"""


def stand_in(url: str, *, version: str = "13.0-1", group: int = 0, workers: int = 2) -> None:
    run_sql(url, STAND_IN.format(version=version, group=group, workers=workers))


def distribute(url: str) -> Result:
    return run("distribute", DATABASE_URL=url)


def calls(url: str) -> list[str]:
    return [str(call) for (call,) in run_sql(url, "SELECT call FROM calls ORDER BY n")]


def test_without_citus_it_says_so(direct_url: str) -> None:
    refused = distribute(direct_url)
    assert (refused.exit_code, refused.output) == (
        1,
        "FAIL  This server has no Citus: give the address of a Citus coordinator.\n",
    )


def test_every_reason_is_given_at_once(direct_url: str) -> None:
    stand_in(direct_url, version="11.3-1", group=4, workers=0)
    run_sql(direct_url, "INSERT INTO citus_tables VALUES ('feed', 'distributed', 'event_id')")
    run_sql(direct_url, "INSERT INTO citus_tables VALUES ('trade_dirty', 'local', '<none>')")
    run_sql(
        direct_url,
        "CREATE TABLE orders (trade_id TEXT, n BIGINT, FOREIGN KEY (trade_id, n) REFERENCES automated_signals)",
    )
    refused = distribute(direct_url)
    assert refused.exit_code == 1
    for reason in (
        "This is Citus 11.3-1: 12 or newer is needed.",
        "This is a worker",
        "no server that holds shards",
        "The table feed is distributed by event_id already, and should be distributed by trade_id.",
        "The table trade_dirty is local already, and should be distributed by trade_id.",
        "The table automated_signals has the foreign key orders_trade_id_n_fkey: drop it first.",
    ):
        assert reason in refused.output
    assert calls(direct_url) == []


def test_pending_migrations_come_first(empty_database_url: str) -> None:
    stand_in(empty_database_url)
    assert "run deploy.py migrate first" in distribute(empty_database_url).output


def test_every_table_is_spread_once_and_rows_left_behind_go(direct_url: str) -> None:
    stand_in(direct_url)
    run_sql(direct_url, "INSERT INTO automated_signals (trade_id) VALUES ('x')")
    first = distribute(direct_url)
    assert "automated_signals: distributed by trade_id (every alert; a trade is always read whole)" in first.output
    made = calls(direct_url)
    assert made[:2] == ["reference capital_rates", "reference capital_risk_profiles"]
    assert made[2:4] == ["automated_signals by trade_id with none", "truncate automated_signals"]
    spread = [call.split()[0] for call in made if " by " in call]
    assert spread == tables("distributed")
    assert "trade_summary by stream_id with automated_signals" in made
    assert "dd_orders by profile_id with dd_telemetry_batch" in made
    distribute(direct_url)
    assert calls(direct_url) == made


def test_queries_that_citus_does_not_run_are_told(direct_url: str) -> None:
    stand_in(direct_url)
    result = distribute(direct_url)
    assert result.exit_code == 1
    for hot in HOT:  # plain PostgreSQL plans each of them, and none by Citus
        assert f"FAIL  {hot.name}: elsewhere (should be {' or '.join(hot.wanted)})" in result.output


ADAPTIVE = "Custom Scan (Citus Adaptive)  (cost=0.00..0.00 rows=0 width=0)\n  Task Count: {}\n  Tasks Shown: One of {}"
SUBPLAN = "  ->  Distributed Subplan 12_1\n        ->  " + ADAPTIVE.format(32, 32)


@pytest.mark.parametrize(
    ("plan", "run"),
    [
        (ADAPTIVE.format(1, 1), "one shard"),
        (ADAPTIVE.format(32, 32), "pushed down"),
        (f"{ADAPTIVE.format(1, 1)}\n{SUBPLAN}", "gathered"),
        ("Custom Scan (Citus INSERT ... SELECT)\n  INSERT/SELECT method: pull to coordinator", "by shard"),
        (f"{ADAPTIVE.format(1, 1)}\n  ->  MapMergeJob\n", "elsewhere"),
        ("Seq Scan on automated_signals", "elsewhere"),
    ],
)
def test_a_plan_says_where_a_query_runs(plan: str, run: str) -> None:
    assert where_it_runs(plan) == run


def test_groups_are_co_located_with_their_first_table() -> None:
    assert [name for name in tables("distributed") if anchor(name) is None] == [
        "automated_signals",
        "dd_telemetry_batch",
    ]
    assert all(TABLES[name].column == "profile_id" for name in tables("distributed") if name.startswith("dd_"))
