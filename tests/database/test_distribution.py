"""The schema and the queries keep to what Citus can do; no Citus is needed to see that."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from database.citus import SOURCE, returned
from database.distribution import TABLES, anchor, tables
from database.queries import QUERIES
from tests.conftest import run_sql
from tests.querytree import parse
from tests.sharding import Catalog
from tests.sharding_rules import problems

#: Statements that no PREPARE takes: they have no plan.
UTILITY = re.compile(r"\s*(LOCK|SET|REFRESH|GRANT|REVOKE)\b", re.IGNORECASE)


def written() -> dict[str, str]:
    """Every statement by its query's name, with NULL for each parameter."""
    found = {}
    for subject, queries in vars(QUERIES).items():
        for name in queries.available_queries:
            if not name.endswith("_cursor"):
                sql = re.sub(r"%\((\w+)\)s", "NULL", getattr(queries, name).sql).replace("%%", "%")
                for number, statement in enumerate(filter(str.strip, sql.split(";"))):
                    found[f"{subject}.{name}.{number}"] = statement
    return found


class Reader:
    """A connection on which PostgreSQL says how it reads a query."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SET client_min_messages = log; SET debug_print_rewritten = on; SET debug_pretty_print = off"
            )
            self.catalog = _catalog(cursor)

    def problems(self, sql: str) -> list[str]:
        self.connection.notices.clear()
        with self.connection.cursor() as cursor:
            cursor.execute(f"PREPARE asked AS {sql}")
            cursor.execute("DEALLOCATE asked")
        trees = [notice.partition("DETAIL:")[2] for notice in self.connection.notices if "{QUERY" in notice]
        # PREPARE itself is told too, as it was written
        (tree,) = [tree for tree in trees if ":commandType 6 " not in tree.partition(":utilityStmt")[0]]
        return problems(parse(tree)[0][0], self.catalog)


def _catalog(cursor: Any) -> Catalog:
    def rows(query: str) -> dict[str, str]:
        cursor.execute(query)
        return {str(key): str(value) for key, value in cursor.fetchall()}

    names = rows("SELECT oid, relname FROM pg_class")
    oids = {name: oid for oid, name in names.items()}
    numbers = rows("SELECT attrelid || '.' || attname, attnum FROM pg_attribute WHERE attnum > 0")
    distributed = {}
    for name in tables("distributed"):
        group = "profile" if TABLES[name].column == "profile_id" else "trade"
        distributed[oids[name]] = (numbers[f"{oids[name]}.{TABLES[name].column}"], group)
    return Catalog(
        distributed=distributed,
        local=frozenset(oids[name] for name in tables("local")),
        names=names,
        volatility=rows("SELECT oid::oid, provolatile FROM pg_proc"),
        conversion=rows(
            "SELECT t.oid, greatest(i.provolatile, o.provolatile) FROM pg_type AS t "
            "JOIN pg_proc AS i ON i.oid = t.typinput JOIN pg_proc AS o ON o.oid = t.typoutput"
        ),
        equals=frozenset(rows("SELECT oid, 1 FROM pg_operator WHERE oprname = '='")),
    )


@pytest.fixture(scope="module")
def reader(server: str, template: str) -> Iterator[Reader]:
    run_sql(server, f"CREATE DATABASE read_queries TEMPLATE {template}")
    made = Reader(server.replace("/alertbook?", "/read_queries?"))
    yield made
    made.connection.close()
    run_sql(server, "DROP DATABASE read_queries")


def test_every_table_has_its_place(direct_url: str) -> None:
    found = run_sql(direct_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename !~ 'yoyo'")
    assert sorted(TABLES) == sorted(str(name) for (name,) in found), "a table is missing in database/distribution.py"


def test_keys_hold_the_column_by_which_a_table_is_spread(direct_url: str) -> None:
    keys = run_sql(
        direct_url,
        "SELECT i.indrelid::regclass::text, i.indisprimary, array_agg(a.attname::text) FROM pg_index AS i "
        "JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
        "WHERE i.indisunique GROUP BY i.indexrelid, 1, 2",
    )
    with_primary_key = {name for name, primary, _ in keys if primary}
    for name in tables("distributed"):
        assert name in with_primary_key
        for table, _, columns in keys:
            assert table != name or TABLES[name].column in columns, (table, columns)  # type: ignore[operator]


def test_the_column_is_never_null_and_of_one_type_in_a_group(direct_url: str) -> None:
    types = set()
    for name in tables("distributed"):
        column = f"WHERE attrelid = '{name}'::regclass AND attname = '{TABLES[name].column}'"
        ((not_null, kind),) = run_sql(
            direct_url,
            f"SELECT attnotnull, format_type(atttypid, atttypmod) FROM pg_attribute {column}",  # noqa: S608
        )
        assert not_null, name
        types.add((anchor(name) or name, kind))
    assert types == {("automated_signals", "text"), ("dd_telemetry_batch", "bigint")}


#: The tables on which something hangs that Citus does not take.
HINDERED = """
SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT ev_class::regclass::text FROM pg_rewrite
UNION ALL SELECT conrelid::regclass::text FROM pg_constraint WHERE contype IN ('f', 'x')
UNION ALL SELECT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'
UNION ALL SELECT attrelid::regclass::text FROM pg_attribute WHERE attidentity <> '' AND atttypid <> 'bigint'::regtype
UNION ALL SELECT oid::regclass::text FROM pg_class WHERE relpersistence <> 'p' OR relrowsecurity
"""


def test_nothing_hangs_on_the_tables_that_are_spread(direct_url: str) -> None:
    hindered = {name for (name,) in run_sql(direct_url, HINDERED)}
    assert hindered & {*tables("distributed"), *tables("reference")} == set()
    assert {"auth_failure", "notice_delivery", "notice"} <= hindered


def test_no_query_asks_what_citus_cannot_do(reader: Reader) -> None:
    asked = {name: sql for name, sql in written().items() if not UTILITY.match(sql)}
    found = {name: told for name, sql in asked.items() if (told := reader.problems(sql))}
    assert found == {}
    assert len(asked) > 150


def test_no_function_asks_what_citus_cannot_do(reader: Reader, direct_url: str) -> None:
    functions = run_sql(
        direct_url,
        "SELECT proname, prosrc FROM pg_proc JOIN pg_language AS l ON l.oid = prolang "
        "WHERE pronamespace = 'public'::regnamespace AND lanname NOT IN ('c', 'internal') ORDER BY proname",
    )
    asking = [one for one in functions if any(re.search(rf"\b{name}\b", str(one[1])) for name in tables("distributed"))]
    assert [name for name, _ in asking] == ["render_events", "store_events"]
    for name, source in asking:
        (_, arguments, types), *_ = run_sql(direct_url, SOURCE.replace("%s", f"'{name}'"))
        nothing = {one: f"NULL::{kind}" for one, kind in zip(arguments, types, strict=True)}  # type: ignore[call-overload]
        query = returned(str(source), nothing)
        assert reader.problems(query) == [], name
        # Citus takes a plan for any argument for an error, and a savepoint to every worker
        assert not re.search(r"plan_cache_mode|\bEXCEPTION\b|\bTEMP\b", str(source), re.IGNORECASE)


def test_no_view_asks_what_citus_cannot_do(reader: Reader, direct_url: str) -> None:
    views = run_sql(
        direct_url,
        "SELECT c.relname, pg_get_viewdef(c.oid) FROM pg_class AS c "
        "WHERE c.relkind IN ('v', 'm') AND c.relnamespace = 'utils_statistics'::regnamespace",
    )
    found = {name: told for name, sql in views if (told := reader.problems(str(sql).rstrip(";")))}
    assert found == {}
    assert len(views) > 5


FORBIDDEN = {
    "SELECT id FROM automated_signals WHERE received_at < now() FOR UPDATE": "locks rows",
    "SELECT 1 FROM automated_signals AS s WHERE EXISTS (SELECT 1 FROM quarantine AS q WHERE q.id = s.id)": "quarantine",
    "SELECT s.id FROM automated_signals AS s JOIN dd_orders AS o ON o.order_id = s.trade_id": "not co-located",
    "SELECT s.id FROM automated_signals AS s JOIN feed AS f ON f.event_id = s.id": "something else",
    "SELECT f.n FROM unnest('{x}'::text[]) AS f (n) LEFT JOIN automated_signals AS s ON s.trade_id = f.n": "LEFT JOIN",
    "SELECT (SELECT s.id FROM automated_signals AS s WHERE s.trade_id = t.stream_id LIMIT 1) FROM trade_summary AS t": (
        "LIMIT"
    ),
    "DELETE FROM feed AS f USING unnest('{x}'::text[], '{1}'::int[]) AS a (t, n) WHERE f.trade_id = a.t": "ORDINALITY",
    "SELECT session, status, count(*) FROM trade_summary GROUP BY GROUPING SETS ((session), (status))": "sets",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT r.n + 1 FROM r JOIN feed AS f ON f.event_id = r.n) TABLE r": (
        "recurses"
    ),
    "UPDATE automated_signals SET received_at = clock_timestamp() WHERE trade_id = 'x'": "VOLATILE",
    "UPDATE automated_signals SET event_key = 'n-' || id WHERE trade_id = 'x'": "STABLE",
    "DELETE FROM automated_signals AS s WHERE s.trade_id = 'x' RETURNING to_jsonb(s.*)": "RETURNING",
    "INSERT INTO trade_dirty (trade_id) VALUES ((SELECT max(trade_id) FROM feed))": "among the values",
    "INSERT INTO signal_window AS w VALUES ('x', 'y', 'z', now()) ON CONFLICT (trade_id, body_hash) DO UPDATE "
    "SET event_key = 'q' WHERE w.received_at < excluded.received_at - INTERVAL '1 s'": "ON CONFLICT",
    "UPDATE trade_summary SET stream_id = 'y' WHERE stream_id = 'x'": "changes the distribution column",
    "INSERT INTO trade_dirty (trade_id) SELECT s.trade_id FROM automated_signals AS s": "numbers rows",
    "INSERT INTO result_day_dirty (day) SELECT t.exit_time::date FROM trade_summary AS t": "numbers rows",
    "WITH gone AS (DELETE FROM feed WHERE trade_id = 'x') INSERT INTO trade_dirty (trade_id) VALUES ('x'), ('y')": (
        "numbers rows"
    ),
    "INSERT INTO trade_dirty (trade_id) SELECT DISTINCT i.n FROM unnest('{x}'::text[]) AS i (n)": "DISTINCT",
    "SELECT nextval('feed_feed_position_seq'), trade_id FROM feed_pending": "next number",
    "SELECT f.trade_id FROM feed AS f JOIN generate_series(now(), now(), '1 day') WITH ORDINALITY AS g (day, n) "
    "ON f.feed_position = g.n": "not IMMUTABLE",
    "SELECT s.xmin FROM automated_signals AS s WHERE s.received_at < now()": "system column",
    "SELECT EXISTS (SELECT 1 FROM feed_pending)": "LIMIT",
    "SELECT f.trade_id FROM feed AS f GROUP BY f.trade_id "
    "HAVING EXISTS (SELECT 1 FROM automated_signals AS s WHERE s.trade_id = f.trade_id)": "HAVING",
    "WITH gone AS (DELETE FROM quarantine RETURNING id) DELETE FROM automated_signals AS s USING gone "
    "WHERE s.id = gone.id": "changes something",
}


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_what_citus_cannot_do_is_seen(reader: Reader, sql: str) -> None:
    assert any(FORBIDDEN[sql] in told for told in reader.problems(sql)), reader.problems(sql)


ALLOWED = (
    "SELECT * FROM automated_signals WHERE trade_id = 'x' FOR UPDATE",
    "SELECT id FROM automated_signals WHERE trade_id = ANY ('{x,y}') ORDER BY id LIMIT 3",
    "SELECT f.event_id FROM feed AS f JOIN automated_signals AS s ON s.trade_id = f.trade_id AND s.id = f.event_id",
    "SELECT t.trade_id FROM trade_summary AS t WHERE NOT EXISTS "
    "(SELECT 1 FROM automated_signals AS s WHERE s.trade_id = t.stream_id)",
    "INSERT INTO deleted_event (trade_id, deletion_id, event_id, event_row) "
    "SELECT trade_id, 1, id, '{}' FROM automated_signals",
    "SELECT engine FROM risk_policy FOR UPDATE",
    "SELECT s.xmin FROM automated_signals AS s WHERE s.trade_id = 'x'",
    "SELECT EXISTS (SELECT 1 FROM feed_pending LIMIT 1), (SELECT count(*) FROM feed)",
    "WITH gone AS (DELETE FROM feed RETURNING trade_id) INSERT INTO feed_pending (trade_id, event_id) "
    "SELECT trade_id, 1 FROM gone",
    "WITH gone AS (DELETE FROM feed RETURNING trade_id), marked AS (INSERT INTO trade_dirty (trade_id) "
    "SELECT gone.trade_id FROM gone GROUP BY gone.trade_id) SELECT trade_id FROM gone",
)


@pytest.mark.parametrize("sql", ALLOWED)
def test_what_it_can_do_is_left_alone(reader: Reader, sql: str) -> None:
    assert reader.problems(sql) == []


def test_statements_without_a_plan_name_no_distributed_table() -> None:
    plain = [sql for sql in written().values() if UTILITY.match(sql)]
    assert plain
    assert not [name for name in tables("distributed") for sql in plain if re.search(rf"\b{name}\b", sql)]


#: What would stay in a session when its transaction is over, and reach whoever a pooler gives it to next.
LASTING = re.compile(
    r"^\s*(SET\s+(?!LOCAL)|LISTEN|UNLISTEN|PREPARE|DECLARE|LOAD)\b|\bTEMP(ORARY)?\b|\bpg_(try_)?advisory_lock"
    r"|\bset_config\([^()]*\bFALSE\b",
    re.IGNORECASE,
)


def test_no_statement_leaves_anything_in_its_session() -> None:
    assert [name for name, sql in written().items() if LASTING.search(sql)] == []
    for sql in (
        "SET x = 1",
        "SELECT pg_advisory_lock(1)",
        "SELECT set_config('x', 'y', FALSE)",
        "CREATE TEMP TABLE t ()",
    ):
        assert LASTING.search(sql)
