"""Databases that the older system made, one per variant: every row and value is still there and makes trades."""

import pytest

from database import migrate
from settings import load
from state import jsontext
from tests.conftest import run_sql
from tests.handlers.test_reads import get
from web_server import create_app

ROWS = 20_000
COLUMNS = {
    "first": """id SERIAL PRIMARY KEY, trade_id VARCHAR(100), event_type VARCHAR(20), direction VARCHAR(10),
        entry_price DECIMAL(10,2), stop_loss DECIMAL(10,2), session VARCHAR(20), mfe DECIMAL(10,4),
        "timestamp" BIGINT, created_at TIMESTAMP DEFAULT NOW()""",
    "seconds": """id SERIAL PRIMARY KEY, trade_id VARCHAR(100), event_type VARCHAR(20), direction VARCHAR(10),
        entry_price DECIMAL(10,2), stop_loss DECIMAL(10,2), mfe DECIMAL(10,4), "timestamp" BIGINT""",
    "wall": """id SERIAL PRIMARY KEY, trade_id VARCHAR(100), event_type VARCHAR(20), direction VARCHAR(10),
        entry_price DECIMAL(10,2), stop_loss DECIMAL(10,2), risk_distance DECIMAL(10,2), be_mfe DECIMAL(10,4),
        no_be_mfe DECIMAL(10,4), mfe DECIMAL(10,4), signal_date DATE, signal_time TIME, targets JSON,
        "timestamp" TIMESTAMP DEFAULT NOW()""",
    "server_clock": """id SERIAL PRIMARY KEY, trade_id VARCHAR(100), event_type VARCHAR(20), direction VARCHAR(10),
        entry_price DECIMAL(10,2), stop_loss DECIMAL(10,2), mfe DECIMAL(10,4), signal_date DATE, signal_time TIME,
        "timestamp" TIMESTAMP DEFAULT NOW()""",
    "telemetry": """id SERIAL PRIMARY KEY, trade_id VARCHAR(100), event_type VARCHAR(20), direction VARCHAR(10),
        entry_price DECIMAL(10,2), stop_loss DECIMAL(10,2), mfe DECIMAL(10,4), signal_date DATE, signal_time TIME,
        "timestamp" TIMESTAMP, telemetry JSONB""",
    "json": """id SERIAL PRIMARY KEY, trade_id VARCHAR(100), event_type VARCHAR(20), direction VARCHAR(10),
        entry_price DECIMAL(10,2), stop_loss DECIMAL(10,2), mfe DECIMAL(10,4), telemetry JSON""",
    "strict": """id SERIAL PRIMARY KEY, trade_id VARCHAR(100) NOT NULL, event_type VARCHAR(20) NOT NULL
        CHECK (event_type IN ('SIGNAL_CREATED', 'ENTRY', 'MFE_UPDATE', 'EXIT_SL', 'EXIT_BE')),
        direction VARCHAR(10) NOT NULL, entry_price DECIMAL(10,2) NOT NULL, stop_loss DECIMAL(10,2) NOT NULL,
        mfe DECIMAL(10,4), "timestamp" BIGINT NOT NULL""",
}
ISO = """to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
#: What each variant's rows carry beside the first columns: five events of one trade, then the next trade.
FILL = {
    "first": ('session, "timestamp"', "'NY AM', (extract(epoch FROM at) * 1000)::bigint"),
    "seconds": ('"timestamp"', "extract(epoch FROM at)::bigint"),
    "wall": (
        'targets, signal_date, signal_time, "timestamp"',
        """'{"1R": 20510.25}'::json, (at AT TIME ZONE 'America/New_York')::date,
        (at AT TIME ZONE 'America/New_York')::time, at AT TIME ZONE 'America/New_York'""",
    ),
    "server_clock": (
        'signal_date, signal_time, "timestamp"',
        """(at AT TIME ZONE 'America/New_York')::date, (at AT TIME ZONE 'America/New_York')::time,
        at AT TIME ZONE 'UTC'""",
    ),
    "telemetry": (
        '"timestamp", telemetry',
        f"""at AT TIME ZONE 'UTC' + interval '3 hours', CASE WHEN n % 2 = 0
        THEN jsonb_build_object('schema_version', '1.0.0', 'event_timestamp', {ISO})
        ELSE jsonb_build_object('attributes', jsonb_build_object('event_timestamp', {ISO})) END""",
    ),
    "json": ("telemetry", f"json_build_object('event_timestamp', {ISO})"),
    "strict": ('"timestamp"', "(extract(epoch FROM at) * 1000)::bigint"),
}
SOURCES = {
    "first": "older_timestamp", "seconds": "older_timestamp", "wall": "older_timestamp",
    "server_clock": "older_timestamp", "telemetry": "iso", "json": "iso", "strict": "older_timestamp",
}  # fmt: skip
AT = "TIMESTAMPTZ '2025-11-03 14:30:00Z' + n * interval '1 minute'"


def build(url: str, variant: str) -> None:
    """An older database with tens of thousands of rows: trades of SIGNAL_CREATED, ENTRY, two MFE_UPDATEs, an exit."""
    names, values = FILL[variant]
    run_sql(url, f"CREATE TABLE automated_signals ({COLUMNS[variant]})")
    run_sql(
        url,
        f"INSERT INTO automated_signals (trade_id, event_type, direction, entry_price, stop_loss, mfe, {names})"  # noqa: S608
        f" SELECT 'T' || n / 5, (ARRAY['SIGNAL_CREATED', 'ENTRY', 'MFE_UPDATE', 'MFE_UPDATE',"
        f" CASE WHEN n / 5 % 2 = 0 THEN 'EXIT_SL' ELSE 'EXIT_BE' END])[n % 5 + 1], 'LONG', 20500.10 + n % 7, 20490.00,"
        f" (n % 5)::numeric / 2, {values} FROM (SELECT n, {AT} AS at FROM generate_series(0, {ROWS - 1}) AS n) AS g",
    )


def snapshot(url: str, columns: list[str]) -> list[tuple[object, ...]]:
    """Every value of the older columns as text, by row number."""
    shown = ", ".join(f'"{name}"::text' for name in columns)
    return run_sql(url, f"SELECT {shown} FROM automated_signals ORDER BY id")  # noqa: S608


def columns_of(url: str) -> list[str]:
    rows = run_sql(
        url,
        "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'automated_signals' ORDER BY 1",
    )
    return [str(name) for (name,) in rows]


@pytest.mark.parametrize("variant", COLUMNS)
def test_every_row_and_value_is_still_there(empty_database_url: str, variant: str) -> None:
    url = empty_database_url
    build(url, variant)
    # JSON becomes JSONB, which writes the same value its own way
    columns = [
        name for name in columns_of(url) if not (variant == "json" and name == "telemetry") and name != "targets"
    ]
    before = snapshot(url, columns)
    migrate.apply(url)
    assert snapshot(url, columns) == before
    assert run_sql(
        url,
        "SELECT count(*), count(*) FILTER (WHERE event_key = 'legacy-' || id), count(*) FILTER (WHERE event_timestamp ="
        " TIMESTAMPTZ '2025-11-03 14:30:00Z' + (id - 1) * interval '1 minute'), min(event_time_source),"
        " max(event_time_source) FROM automated_signals",
    ) == [(ROWS, ROWS, ROWS, SOURCES[variant], SOURCES[variant])]
    if variant == "json":
        assert run_sql(url, "SELECT count(*) FROM automated_signals WHERE telemetry ? 'event_timestamp'") == [(ROWS,)]
    if variant == "wall":
        assert run_sql(url, "SELECT DISTINCT targets::text FROM automated_signals") == [('{"1R": 20510.25}',)]
    assert migrate.apply(url) == []


@pytest.mark.parametrize("variant", ["first", "telemetry", "strict"])
def test_old_rows_are_trades_and_both_codes_go_on_writing(empty_database_url: str, variant: str) -> None:
    url = empty_database_url
    build(url, variant)
    run_sql(url, "DELETE FROM automated_signals WHERE id > 1000")
    migrate.apply(url)
    client = create_app(load({"DATABASE_URL": url})).test_client()
    stats = get(client, "stats")["stats"]
    assert (stats["unique_trades"], stats["completed_count"], stats["loss_count"]) == (200, 200, 100)
    trade = get(client, "trade/T3")["trade"]
    assert (trade["status"], trade["exit_reason"], trade["max_mfe"], trade["event_count"]) == (
        "COMPLETED",
        "BREAK_EVEN",
        2,
        5,
    )
    # the older code's own statement
    extra = {"telemetry": ", telemetry", "first": "", "strict": ', "timestamp"'}[variant]
    value = {
        "telemetry": """, '{"event_timestamp": "2025-11-20T14:30:00Z"}'""",
        "first": "",
        "strict": ", 1763649000000",
    }
    run_sql(
        url,
        "INSERT INTO automated_signals (trade_id, event_type, direction, entry_price, stop_loss, mfe"  # noqa: S608
        f"{extra}) VALUES ('new', 'ENTRY', 'LONG', 1.5, 1.25, 0{value[variant]}) RETURNING id",
    )
    found = get(client, "trade/new") if get(client, "stats") else {}
    assert (found["trade"]["entry_price"], found["trade"]["status"]) == (jsontext.parse("1.5"), "ACTIVE")
    if variant != "first":
        assert found["trade"]["entry_time"] == "2025-11-20T14:30:00+00:00"
    response = client.post(
        "/api/automated-signals",
        data='{"ticker":"NQ1!","action":"buy","price":"20500.1234","time":"2025-11-20T14:30:00Z"}',
    )
    assert response.status_code == 200
    assert get(client, "events?limit=1000")["more"] is True


def test_ids_that_are_missing_or_bear_commas_and_repeated_rows(empty_database_url: str) -> None:
    url = empty_database_url
    build(url, "first")
    run_sql(url, "TRUNCATE automated_signals RESTART IDENTITY")
    run_sql(
        url,
        'INSERT INTO automated_signals (trade_id, event_type, entry_price, "timestamp")'
        " SELECT unnest(ARRAY[NULL, '', '2,025001112_154100_BULLISH', 'T' || n, 'T' || n]), 'ENTRY', 1, 1763649000000"
        " FROM generate_series(1, 4000) AS n",
    )
    migrate.apply(url)
    kept = run_sql(
        url, "SELECT trade_id, original_trade_id, event_key FROM automated_signals WHERE id <= 5 ORDER BY id"
    )
    assert kept == [
        ("legacy-null-1", "(null)", "legacy-1"),
        ("legacy-null-2", "", "legacy-2"),
        ("2,025001112_154100_BULLISH", None, "legacy-3"),
        ("T1", None, "legacy-4"),
        ("T1", None, "legacy-5"),
    ]
    assert run_sql(url, "SELECT count(*) FROM automated_signals") == [(20_000,)]
    client = create_app(load({"DATABASE_URL": url})).test_client()
    trade = get(client, "trade/T1")["trade"]
    assert (trade["event_count"], trade["anomalies"][0]) == (2, "DUPLICATE_ENTRY")
    assert get(client, "integrity-report")["issues"]["ghost_trades"]["count"] == 8001


def test_a_clock_without_a_zone_and_without_company_is_new_yorks(empty_database_url: str) -> None:
    url = empty_database_url
    run_sql(url, f"CREATE TABLE automated_signals ({COLUMNS['telemetry']})")
    run_sql(
        url,
        "INSERT INTO automated_signals (trade_id, event_type, \"timestamp\") VALUES ('a', 'ENTRY', '2025-11-20 09:30')",
    )
    migrate.apply(url)
    assert run_sql(url, "SELECT event_timestamp = '2025-11-20T14:30:00Z' FROM automated_signals") == [(True,)]


def test_the_chain_goes_down_and_up_again_to_the_same_schema(empty_database_url: str) -> None:
    def schema() -> list[tuple[object, ...]]:
        return run_sql(
            empty_database_url,
            "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text, column_default::text FROM"
            " information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '%yoyo%' UNION ALL"
            " SELECT tablename::text, indexname::text, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'"
            " AND tablename NOT LIKE '%yoyo%' ORDER BY 1, 2, 3",
        )

    migrate.apply(empty_database_url)
    before = schema()
    migrate.rollback_to(empty_database_url, "0006.notices")
    migrate.apply(empty_database_url)
    assert schema() == before


def test_rollbacks_do_not_throw_away_what_was_recorded(empty_database_url: str) -> None:
    migrate.apply(empty_database_url)
    client = create_app(load({"DATABASE_URL": empty_database_url})).test_client()
    client.post("/api/automated-signals", data='{"ticker":"NQ1!","action":"buy"}')
    with pytest.raises(migrate.MigrationError, match="position alerts are stored"):
        migrate.rollback_to(empty_database_url, "0006.notices")
    migrate.apply(empty_database_url)
    client.post("/api/automated-signals/delete-trades", json={"trade_ids": ["pos~-:NQ1!:-:-"]})
    with pytest.raises(migrate.MigrationError, match="deleted trades are kept here"):
        migrate.rollback_to(empty_database_url, "0008.feed")
