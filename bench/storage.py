"""What one alert costs on the disk, in the write-ahead log and in the database: ./dev bench storage.

Alerts with the full telemetry body, twenty to a trade, stored by the statement that the webhook uses: one to a
commit, and 32 to a commit as under load; then folded, so that the summaries are counted too.
"""

import copy
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from bench import report
from database import driver, feed, migrate, signals, summaries
from database.embedded import EmbeddedPostgres
from database.pool import Pool
from handlers import payloads
from state import jsontext
from state.event import SignalEvent

SAMPLE: Final = Path(__file__).parent / "baselines" / "full_telemetry.json"
EVENTS_PER_TRADE: Final = 20
SIZES: Final = """
SELECT relname, pg_table_size(oid) AS heap, pg_indexes_size(oid) AS indexes
FROM pg_class
WHERE relkind = 'r' AND relname IN ('automated_signals', 'trade_summary', 'feed', 'feed_pending', 'trade_dirty')
"""


def alerts(count: int) -> list[SignalEvent]:
    """Events of trades that nobody knows yet, as the payload version reads them."""
    body = jsontext.parse(SAMPLE.read_text())
    now = datetime.now(UTC)
    found = []
    for n in range(count):
        one = copy.deepcopy(body)
        one["trade_id"] = f"20251120_{n // EVENTS_PER_TRADE:09}_BULLISH"
        one["event_type"] = "MFE_UPDATE" if n % EVENTS_PER_TRADE else "ENTRY"
        one["event_timestamp"] = (now - timedelta(seconds=count - n)).isoformat()
        context = payloads.Context(now + timedelta(milliseconds=n), "UTC")
        found += [outcome for outcome in payloads.read(one, context).outcomes if isinstance(outcome, SignalEvent)]
    return found


def written(connection: Any) -> int:
    """How far the write-ahead log goes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")
        position: int = cursor.fetchone()[0]
    connection.commit()
    return position


def store(connection: Any, events: list[SignalEvent], together: int) -> dict[str, Any]:
    """Store the events, so many to a commit; what that cost for each."""
    before, began = written(connection), time.perf_counter()
    for start in range(0, len(events), together):
        signals.insert_events(connection, events[start : start + together])
        connection.commit()
    took = time.perf_counter() - began
    return {
        "what": f"{together} alerts to a commit",
        "wal_bytes_per_alert": round((written(connection) - before) / len(events)),
        "ms_per_alert": round(took * 1000 / len(events), 3),
    }


def sizes(connection: Any, events: int) -> list[dict[str, Any]]:
    """Bytes of each table for one alert."""
    with connection.cursor() as cursor:
        cursor.execute(SIZES)
        rows = cursor.fetchall()
    return [
        {
            "what": row.relname,
            "table_bytes_per_alert": round(row.heap / events),
            "index_bytes_per_alert": round(row.indexes / events),
        }
        for row in sorted(rows, key=lambda row: -row.heap)
    ]


@click.command()
@click.option("--events", default=20_000, show_default=True)
def main(events: int) -> None:
    """Store, fold and follow the alerts of a fresh database, and say what each has cost."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder) / "data")
        url = postgres.start()
        try:
            migrate.apply(url)
            connection = driver.connect(url)
            made = alerts(events)
            rows = [store(connection, made[: events // 10], 1), store(connection, made[events // 10 :], 32)]
            pool = Pool(url, 2)
            summaries.refresh(pool)
            feed.advance(pool)
            pool.close()
            rows += sizes(connection, events)
            connection.close()
        finally:
            postgres.stop()
    report.publish("storage", rows)


if __name__ == "__main__":
    sys.exit(main())
