"""Years of believable alerts, made by PostgreSQL itself: what the benches of reads and of growth are measured on.

A million events are 50,000 trades over one year: the same number of trades a day whatever the size, so that a larger
book is a longer history. Every body is the full telemetry of `baselines/full_telemetry.json`. One trade has 5,000
events and is still open.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg2

PER_TRADE: Final = 20
TRADES_PER_YEAR: Final = 50_000
LONG_TRADE: Final = "LONG_RUNNER"
LONG_EVENTS: Final = 5_000
AT_ONCE: Final = 10_000
#: For the filling alone: nothing of it has to outlive a crash.
QUICK: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "8GB"}
_BODY: Final = (Path(__file__).parent / "baselines" / "full_telemetry.json").read_text()

# One trade in forty is withdrawn before its fill, one in two hundred still runs; a third are announced first.
_TRADES: Final = """
SELECT
    t,
    'FVG_' || to_char(start, 'YYYYMMDD') || '_' || t AS trade_id,
    start,
    CASE WHEN mod(t, 40) = 0 THEN 2 ELSE 5 + mod(t * 7919, 31) END AS size,
    (ARRAY['NQ1!', 'ES1!', 'CL1!', '6E1!'])[1 + mod(t, 4)] AS symbol,
    (ARRAY['NQ_FVG_CORE', 'OPENING_RANGE', 'LONDON_FADE'])[1 + mod(t / 4, 3)] AS strategy,
    (ARRAY['FVG core', 'Opening range', 'London fade'])[1 + mod(t / 4, 3)] AS name,
    mod(t, 2) AS short,
    20000.25 + mod(t, 977) AS entry,
    24 + mod(t, 5) AS risk
FROM generate_series(%(first)s, %(last)s) AS t
CROSS JOIN LATERAL (SELECT %(now)s::timestamptz - interval '631 seconds' * (%(trades)s - t + 2) AS start) AS s
"""
_LONG: Final = f"""
SELECT
    1 AS t, '{LONG_TRADE}' AS trade_id, %(now)s::timestamptz - interval '7 days' AS start, {LONG_EVENTS} AS size,
    'NQ1!' AS symbol, 'NQ_FVG_CORE' AS strategy, 'FVG core' AS name, 0 AS short, 20500.25 AS entry, 25 AS risk
"""
_INSERT: Final = """
INSERT INTO automated_signals (
    trade_id, event_type, direction, entry_price, stop_loss, risk_distance, exit_price, mfe, be_mfe, no_be_mfe, mae,
    final_mfe, session, bias, symbol, exchange, strategy_id, strategy_name, timeframe, exit_reason, contracts,
    signal_date, signal_time, targets, telemetry, payload_version, event_timestamp, event_time_source, received_at,
    event_key
)
SELECT
    trade_id, event_type, direction, entry, stop, risk, exit_price, mfe, mfe, mfe, mae, final_mfe, session, direction,
    symbol, 'CME_MINI', strategy, name, '1', exit_reason, 2, wall::date, wall::time(0), body -> 'targets', body,
    'telemetry_v1', at, 'iso', at + interval '0.35 seconds', encode(sha256((trade_id || n)::bytea), 'hex')
FROM ({trades}) AS trade
CROSS JOIN LATERAL generate_series(1, size) AS n
CROSS JOIN LATERAL (
    SELECT
        start + interval '1 minute' * n AS at,
        CASE WHEN short = 1 THEN 'Bearish' ELSE 'Bullish' END AS direction,
        CASE WHEN short = 1 THEN entry + risk ELSE entry - risk END AS stop,
        CASE
            WHEN size = 2 THEN (ARRAY['SIGNAL_CREATED', 'CANCELLED'])[n]
            WHEN n = 1 AND mod(t, 3) = 0 THEN 'SIGNAL_CREATED'
            WHEN n = 1 OR (n = 2 AND mod(t, 3) = 0) THEN 'ENTRY'
            WHEN n = size / 2 AND mod(t, 2) = 0 THEN 'BE_TRIGGERED'
            WHEN n = size - 1 AND mod(t, 5) = 0 THEN 'EXIT_PARTIAL'
            WHEN n < size OR mod(t, 200) = 1 THEN 'MFE_UPDATE'
            ELSE (ARRAY[
                'EXIT_STOP_LOSS', 'EXIT_TAKE_PROFIT', 'EXIT_STOP_LOSS', 'EXIT_BREAK_EVEN', 'EXIT_TAKE_PROFIT',
                'EXIT_STOP_LOSS', 'EXIT_MANUAL'
            ])[1 + mod(t, 7)]
        END AS event_type
) AS told
CROSS JOIN LATERAL (
    SELECT
        at AT TIME ZONE 'America/New_York' AS wall,
        CASE
            WHEN event_type = 'SIGNAL_CREATED' THEN 0 ELSE round(least(n, 40) * 0.07 + mod(t, 13) * 0.031, 2)
        END AS mfe,
        -round(mod(t, 11) * 0.07, 2) AS mae,
        round((mod(t, 11) - 4) * 0.3, 2) AS r
) AS moved
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN extract(HOUR FROM wall) < 6 THEN 'LONDON' WHEN extract(HOUR FROM wall) < 9 THEN 'NY PRE'
            WHEN extract(HOUR FROM wall) < 12 THEN 'NY AM' WHEN extract(HOUR FROM wall) < 13 THEN 'NY LUNCH'
            WHEN extract(HOUR FROM wall) < 16 THEN 'NY PM' WHEN extract(HOUR FROM wall) < 20 THEN 'AFTER_HOURS'
            ELSE 'ASIA'
        END AS session,
        CASE WHEN starts_with(event_type, 'EXIT_') THEN entry + r * risk * (1 - 2 * short) END AS exit_price,
        CASE WHEN starts_with(event_type, 'EXIT_') THEN lower(event_type) END AS exit_reason,
        CASE WHEN starts_with(event_type, 'EXIT_') THEN mfe END AS final_mfe
) AS ended
CROSS JOIN LATERAL (
    SELECT
        '{body}'::jsonb || jsonb_build_object(
            'trade_id', trade_id, 'event_type', event_type, 'symbol', symbol, 'strategy_id', strategy,
            'strategy_name', name, 'direction', direction, 'session', session, 'entry_price', entry,
            'stop_loss', stop, 'mfe_R', mfe, 'mae_R', mae, 'exit_price', exit_price, 'exit_reason', exit_reason,
            'final_mfe_R', final_mfe, 'event_timestamp', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        ) AS body
) AS sent
"""


def fill(url: str, events: int) -> None:
    """Fill an empty, migrated database with so many events, as if the alerts had come in. Leaves them unfolded."""
    trades = events // PER_TRADE
    with _connected(url) as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now = cursor.fetchone()[0]
    numbers: dict[str, Any] = {"now": now, "trades": trades}
    with _without_indexes(url):
        parts = [threading.Thread(target=_insert, args=(url, numbers, start, trades)) for start in (1, 1 + AT_ONCE)]
        for part in parts:
            part.start()
        for part in parts:
            part.join()
        _run(url, _filled(_LONG), numbers)
    for statement in (
        "INSERT INTO feed (trade_id, event_id) SELECT trade_id, id FROM automated_signals ORDER BY received_at, id",
        "INSERT INTO trade_dirty (trade_id) SELECT DISTINCT trade_id FROM automated_signals",
        "VACUUM (ANALYZE) automated_signals",
        "VACUUM (ANALYZE) feed",
    ):
        _run(url, statement)


def _filled(trades: str) -> str:
    return _INSERT.replace("{trades}", trades).replace("{body}", _BODY)


def _insert(url: str, numbers: dict[str, Any], start: int, trades: int) -> None:
    for first in range(start, trades + 1, 2 * AT_ONCE):
        _run(url, _filled(_TRADES), {**numbers, "first": first, "last": min(trades, first + AT_ONCE - 1)})


def _run(url: str, statement: str, values: dict[str, Any] | None = None) -> None:
    with _connected(url) as cursor:
        cursor.execute(statement, values)


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


@contextmanager
def _without_indexes(url: str) -> Iterator[None]:
    """The block fills automated_signals without its indexes; they are built afterwards, which is far cheaper."""
    with _connected(url) as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = 'automated_signals'::regclass AND contype IN ('p', 'u')"
        )
        keys = cursor.fetchall()
        for name, _ in keys:
            cursor.execute(f"ALTER TABLE automated_signals DROP CONSTRAINT {name}")
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'automated_signals'")
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
    yield
    with _connected(url) as cursor:
        cursor.execute("SET maintenance_work_mem TO '1GB'")
        for _, definition in indexes:
            cursor.execute(definition)
        for name, definition in keys:
            cursor.execute(f"ALTER TABLE automated_signals ADD CONSTRAINT {name} {definition}")
