"""Databases of the older system that are odder than most: they are upgraded all the same, and nothing is lost."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from database import migrate
from settings import load
from tests.conftest import run_sql
from tests.handlers.test_reads import get
from web_server import create_app

BASE = "id SERIAL PRIMARY KEY, trade_id VARCHAR(100), event_type VARCHAR(20), direction VARCHAR(10)"
ENTRY = "'T1', 'ENTRY', 'LONG'"
FIRST = "(trade_id, event_type, direction"


def upgraded(url: str, *statements: str) -> FlaskClient:
    """A client of the database that the statements made, upgraded; alerts can be stored and everything read."""
    for statement in statements:
        run_sql(url, statement)
    (before,) = run_sql(url, "SELECT count(*) FROM automated_signals")
    migrate.apply(url)
    client = create_app(load({"DATABASE_URL": url})).test_client()
    for path in ("stats", "trades", "events", "dashboard-data", "integrity-report", "telemetry", "recent"):
        get(client, path)
    for kind in ("csv", "ndjson"):
        assert client.get(f"/api/automated-signals/export.{kind}").status_code == 200
    prices = '"entry_price":1.123456789,"stop_loss":1,"mae":0.123456789'
    body = f'{{"type":"ENTRY","signal_id":"after",{prices},"timeframe":"5m"}}'
    assert client.post("/api/automated-signals", data=body).status_code == 200
    assert str(get(client, "trade/after")["trade"]["entry_price"]) == "1.123456789"
    assert run_sql(url, "SELECT mae::text, timeframe FROM automated_signals WHERE trade_id = 'after'") == [
        ("0.123456789", "5m")
    ]
    assert run_sql(url, f"SELECT count(*) - 1 = {before[0]} FROM automated_signals") == [(True,)]  # noqa: S608
    assert run_sql(url, "SELECT to_regclass('older_trigger')") == [(None,)]
    return client


def column(url: str, expression: str) -> list[Any]:
    """What the older rows hold, in their order."""
    query = f"SELECT {expression} FROM automated_signals WHERE trade_id <> 'after' ORDER BY id"  # noqa: S608
    return [value for (value,) in run_sql(url, query)]


@pytest.mark.parametrize("kind", ["TEXT", "VARCHAR(4000)", "JSON"])
def test_telemetry_that_is_no_json(empty_database_url: str, kind: str) -> None:
    url = empty_database_url
    good = """{"event_timestamp": "2025-11-20T14:30:00Z", "entry_price": 1.50}"""
    bodies = [good, '"{\\"event_timestamp\\": \\"2025-11-20T14:30:00Z\\"}"', '{"a": "\\u0000"}', "7"]
    if kind != "JSON":
        bodies += ["{'python': True}", "", "not json", '{"cut": 1']
    rows = ", ".join(f"({ENTRY}, $body${body}$body$)" for body in bodies)
    client = upgraded(
        url,
        f"CREATE TABLE automated_signals ({BASE}, telemetry {kind}, targets {kind})",
        f"INSERT INTO automated_signals {FIRST}, telemetry) VALUES {rows}",  # noqa: S608
        "UPDATE automated_signals SET targets = '[1.50]'",
    )
    assert column(url, "telemetry::text")[:2] == [
        '{"entry_price": 1.50, "event_timestamp": "2025-11-20T14:30:00Z"}',
        '{"event_timestamp": "2025-11-20T14:30:00Z"}',
    ]
    assert column(url, "event_time_source")[:3] == ["iso", "iso", "received"]
    assert column(url, "telemetry #>> '{}'")[2:] == bodies[2:]
    assert column(url, "warnings -> 0 ->> 'code'") == [None, None, "NOT_JSON", None, *["NOT_JSON"] * (len(bodies) - 4)]
    assert get(client, "trade/T1")["trade"]["event_count"] == len(bodies)
    kept = get(client, f"telemetry/{column(url, 'id')[2]}")
    assert kept["telemetry"] == bodies[2]


def test_columns_of_other_types(empty_database_url: str) -> None:
    url = empty_database_url
    client = upgraded(
        url,
        "CREATE TYPE kind AS ENUM ('ENTRY', 'EXIT_SL')",
        """CREATE TABLE automated_signals (id SMALLINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, trade_id BIGINT,
        event_type kind DEFAULT 'ENTRY', direction CHAR(10), entry_price TEXT DEFAULT '0', stop_loss REAL,
        mfe DOUBLE PRECISION, mae DECIMAL(10,2), be_mfe INTEGER, contracts MONEY, signal_date TEXT,
        signal_time VARCHAR(20), created_at BIGINT DEFAULT 5, timeframe INTEGER, symbol VARCHAR(5),
        position VARCHAR(10), warnings TEXT,
        received_at TIMESTAMP, event_timestamp TIMESTAMP, is_live BOOLEAN NOT NULL DEFAULT TRUE)""",
        """INSERT INTO automated_signals (trade_id, direction, entry_price, stop_loss, mfe, mae, be_mfe, contracts,
        signal_date, signal_time, created_at, timeframe, position, warnings, event_timestamp) VALUES
        (7, 'LONG', ' 20500.25', 20490.1, 0.1234567890123456, -0.25, 1, 2, '2025-11-20', '9:30:05 AM', 1763649005, 5,
         'LONG', 'none', '2025-11-20 14:30:06'),
        (7, 'LONG', '20,500.50', 'NaN', 'Infinity', NULL, NULL, NULL, '20.11.2025 or so', '25:70', 1763649005123, 5,
         NULL, NULL, NULL),
        (7, 'LONG', 'n/a', NULL, NULL, NULL, NULL, NULL, '11/20/2025', '', NULL, NULL, NULL, NULL, NULL)""",
    )
    assert column(url, "entry_price::text") == ["20500.25", "20500.50", None]
    assert column(url, "older_entry_price") == [None, None, "n/a"]
    assert column(url, "stop_loss::text || mfe::text") == ["20490.10.1234567890123456", "NaNInfinity", None]
    assert column(url, "mae::text") == ["-0.25", None, None]
    assert column(url, "signal_date::text || coalesce(' ' || signal_time, '')") == [
        "2025-11-20 09:30:05",
        None,
        "2025-11-20",
    ]
    assert column(url, "older_signal_date") == [None, "20.11.2025 or so", None]
    assert column(url, "older_signal_time") == [None, "25:70", ""]
    assert column(url, "older_position || older_warnings") == ["LONGnone", None, None]
    assert column(url, "event_timestamp = '2025-11-20T14:30:06Z'")[0] is True
    assert column(url, "event_time_source")[0] == "older_timestamp"
    assert column(url, "created_at = to_timestamp(1763649005.123)")[1] is True
    trade = get(client, "trade/7")["trade"]
    assert (trade["event_count"], str(trade["entry_price"])) == (3, "20500.50")
    run_sql(url, "INSERT INTO automated_signals (trade_id, event_type, entry_price) VALUES (8, 'ENTRY', '1.5')")
    assert get(client, "trade/8")["trade"]["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("ids", "values", "older"),
    [
        ("id INTEGER", "(1, {}), (1, {}), (NULL, {})", ["1", "1", None]),
        ("id BIGINT UNIQUE", "(5, {}), (6, {}), (9, {})", None),
        ("id UUID DEFAULT gen_random_uuid() PRIMARY KEY", "(DEFAULT, {}), (DEFAULT, {}), (DEFAULT, {})", "uuid"),
        ("id SERIAL, PRIMARY KEY (trade_id, event_type, id)", "(DEFAULT, {}), (DEFAULT, {}), (DEFAULT, {})", None),
        ("id NUMERIC(10,0) PRIMARY KEY", "(1, {}), (2, {}), (3, {})", None),
        ("serial_no INTEGER, PRIMARY KEY (serial_no)", "(1, {}), (2, {}), (3, {})", None),
    ],
)
def test_rows_without_a_number_of_their_own(empty_database_url: str, ids: str, values: str, older: Any) -> None:
    url = empty_database_url
    upgraded(
        url,
        f"CREATE TABLE automated_signals (trade_id VARCHAR(100), event_type VARCHAR(20), direction TEXT, {ids})",
        f"INSERT INTO automated_signals ({ids.split()[0]}, {FIRST[1:]}) VALUES {values.format(*[ENTRY] * 3)}",  # noqa: S608
    )
    assert len(set(column(url, "id"))) == 3
    if older == "uuid":
        assert {len(one) for one in column(url, "older_id::text")} == {36}
    elif older is not None:
        assert column(url, "older_id::text") == older
    assert run_sql(
        url, "SELECT max(id) = (SELECT id FROM automated_signals WHERE trade_id = 'after') FROM automated_signals"
    ) == [(True,)]


def test_what_hangs_on_the_table_hangs_on_it_afterwards(empty_database_url: str) -> None:
    url = empty_database_url
    upgraded(
        url,
        f"""CREATE TABLE automated_signals ({BASE}, entry_price DECIMAL(10,2), stop_loss DECIMAL(10,2),
        "timestamp" BIGINT, risk DECIMAL GENERATED ALWAYS AS (entry_price - stop_loss) STORED,
        updated_at TIMESTAMP DEFAULT '2020-01-01')""",
        f"INSERT INTO automated_signals {FIRST}, entry_price, stop_loss) VALUES ({ENTRY}, 2, 1), ({ENTRY}, 3, 1)",  # noqa: S608
        "CREATE TABLE note (signal_id INTEGER REFERENCES automated_signals (id), said TEXT)",
        "INSERT INTO note VALUES (1, 'kept')",
        "CREATE VIEW entries WITH (security_barrier=true) AS SELECT *, upper(direction) AS side FROM automated_signals",
        "COMMENT ON VIEW entries IS 'of mine'",
        "CREATE VIEW dear AS SELECT trade_id, entry_price FROM entries WHERE entry_price > 2",
        "GRANT SELECT ON dear TO PUBLIC",
        "CREATE MATERIALIZED VIEW totals AS SELECT trade_id, sum(entry_price) FROM automated_signals GROUP BY 1",
        "CREATE UNIQUE INDEX totals_trade ON totals (trade_id)",
        "CREATE FUNCTION touch() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END'",
        "CREATE TRIGGER touched BEFORE UPDATE ON automated_signals FOR EACH ROW EXECUTE FUNCTION touch()",
    )
    assert column(url, "risk::text || updated_at::date") == ["1.002020-01-01", "2.002020-01-01"]
    assert run_sql(url, "SELECT trade_id, entry_price::text FROM dear") == [("T1", "3.00")]
    assert run_sql(url, "SELECT sum::text FROM totals") == [("5.00",)]
    assert run_sql(
        url, "SELECT obj_description('entries'::regclass), reloptions FROM pg_class WHERE relname = 'entries'"
    ) == [("of mine", ["security_barrier=true"])]
    assert run_sql(url, "SELECT has_table_privilege('public', 'dear', 'SELECT')") == [(True,)]
    assert run_sql(url, "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'touched'") == [("O",)]
    assert run_sql(url, "SELECT said FROM note") == [("kept",)]


def test_a_view_that_cannot_stay_is_named(empty_database_url: str) -> None:
    url = empty_database_url
    run_sql(url, "CREATE TYPE kind AS ENUM ('ENTRY')")
    run_sql(url, "CREATE TABLE automated_signals (id SERIAL PRIMARY KEY, event_type kind)")
    run_sql(url, "CREATE VIEW entries AS SELECT id FROM automated_signals WHERE event_type = 'ENTRY'::kind")
    with pytest.raises(migrate.MigrationError, match=r"the view entries cannot be made again .* drop it, upgrade"):
        migrate.apply(url)
    assert run_sql(url, "SELECT count(*) FROM entries") == [(0,)]
    run_sql(url, "DROP VIEW entries")
    migrate.apply(url)


def test_a_table_of_another_role_is_said(empty_database_url: str) -> None:
    url = empty_database_url
    for statement in (
        f"CREATE TABLE automated_signals ({BASE})",
        "DROP ROLE IF EXISTS upgrader",
        "CREATE ROLE upgrader LOGIN",
        "GRANT ALL ON SCHEMA public TO upgrader",
        "GRANT ALL ON automated_signals TO upgrader",
    ):
        run_sql(url, statement)
    with pytest.raises(
        migrate.MigrationError, match="automated_signals belongs to the role alertbook: run the upgrade"
    ):
        migrate.apply(url.replace("//alertbook", "//upgrader"))


def test_times_in_every_writing(empty_database_url: str) -> None:
    url = empty_database_url
    written = [
        "2025-11-20 09:30:00 AM", "11/20/2025 2:30 PM", "1763649000", "1763649000123", "2025-11-20T14:30:00Z",
        "20 Nov 2025 09:30 EST", "2025-11-20 09:30:00", "soon", "", "0000-00-00 00:00", "20255-11-20 09:30",
    ]  # fmt: skip
    client = upgraded(
        url,
        f"""CREATE TABLE automated_signals ({BASE}, "timestamp" TEXT)""",
        *(f"""INSERT INTO automated_signals {FIRST}, "timestamp") VALUES ({ENTRY}, '{one}')""" for one in written),  # noqa: S608
    )
    assert column(url, '"timestamp"') == written
    assert column(url, "extract(EPOCH FROM event_timestamp)::text")[:7] == [
        "1763649000.000000", "1763667000.000000", "1763649000.000000", "1763649000.123000", "1763649000.000000",
        "1763649000.000000", "1763649000.000000",
    ]  # fmt: skip
    assert column(url, "event_time_source") == ["older_timestamp"] * 7 + ["received"] * 4
    assert get(client, "trade/T1")["trade"]["entry_time"] == "2025-11-20T14:30:00+00:00"


def test_an_id_longer_than_ours_may_be_is_kept_beside_its_row(empty_database_url: str) -> None:
    url = empty_database_url
    client = upgraded(
        url,
        "CREATE TABLE automated_signals (id SERIAL PRIMARY KEY, trade_id TEXT, event_type TEXT, direction TEXT)",
        "INSERT INTO automated_signals (trade_id, event_type) VALUES (repeat('x', 300), 'ENTRY'),"
        " (repeat('y', 5000), 'ENTRY')",
    )
    assert column(url, "trade_id") == ["x" * 300, "legacy-long-2"]
    assert column(url, "older_trade_id") == [None, "y" * 5000]
    assert get(client, f"trade/{'x' * 300}")["trade"]["event_count"] == 1


def test_our_own_table_is_left_alone(database_url: str) -> None:
    run_sql(database_url, "DELETE FROM _yoyo_migration WHERE migration_id = '0000.prepare_older_table'")
    assert migrate.apply(database_url) == ["0000.prepare_older_table"]
    assert migrate.names()[0] == "0000.prepare_older_table"


def test_times_beyond_all_calendars(empty_database_url: str) -> None:
    url = empty_database_url
    client = upgraded(
        url,
        f"""CREATE TABLE automated_signals ({BASE}, signal_date DATE, signal_time TIME, "timestamp" TIMESTAMP,
        created_at TIMESTAMPTZ DEFAULT now())""",
        f"""INSERT INTO automated_signals {FIRST}, signal_date, signal_time, "timestamp", created_at) VALUES
        ({ENTRY}, 'infinity', '10:00', 'infinity', 'infinity'), ({ENTRY}, '20255-01-01', '10:00', '20255-01-01', now()),
        ({ENTRY}, '2025-11-20', '24:00', '0044-03-15 BC', '-infinity')""",  # noqa: S608
    )
    assert column(url, '"timestamp"') == [None] * 3
    assert column(url, "older_timestamp") == ["infinity", "20255-01-01 00:00:00", "0044-03-15 00:00:00 BC"]
    assert column(url, "older_signal_date || coalesce(older_created_at, '')") == [
        "infinityinfinity",
        "20255-01-01",
        None,
    ]
    assert column(url, "older_signal_time") == [None, None, "24:00:00"]
    assert get(client, "trade/T1")["trade"]["event_count"] == 3
    assert column(url, "bool_and(isfinite(event_timestamp) AND isfinite(received_at)) OVER ()")[0] is True
