"""A strategy that falls silent is told once per silence."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import jobs
from database.pool import Pool
from jobs import background, silence
from settings import Settings
from tests.conftest import run_sql
from tests.processes import wait_until

#: A Wednesday in New York.
NOW = datetime(2026, 3, 4, 18, tzinfo=UTC)


#: Twenty alerts of a strategy, one every ten minutes.
HEARD = """
INSERT INTO automated_signals (
    trade_id, event_type, event_key, event_timestamp, event_time_source, received_at, payload_version, strategy_id,
    symbol
)
SELECT '{0}' || n, 'ENTRY', 'k', t.at, 'received', t.at, 'direct', '{0}', 'NQ'
FROM generate_series(0, 19) AS n
CROSS JOIN LATERAL (SELECT timestamptz '{1}' - interval '10 minutes' * n AS at) AS t
"""


def heard(url: str, strategy: str, last: datetime) -> None:
    run_sql(url, HEARD.format(strategy, last))


def told(url: str) -> list[Any]:
    return run_sql(url, "SELECT fact, title FROM notice ORDER BY id")


def test_each_silence_is_told_once(database_url: str) -> None:
    pool = Pool(database_url, 1)
    heard(database_url, "quiet", NOW - timedelta(minutes=40))
    heard(database_url, "busy", NOW - timedelta(minutes=20))
    heard(database_url, "ended", NOW - timedelta(days=2))
    assert (silence.tell_silence(pool, NOW), silence.tell_silence(pool, NOW + timedelta(minutes=5))) == (1, 0)
    last = (NOW - timedelta(minutes=40)).isoformat()
    assert told(database_url) == [(f"silence:quiet:NQ:{last}", f"quiet has been silent on NQ since {last}")]
    run_sql(
        database_url, "UPDATE automated_signals SET received_at = received_at + '1 hour' WHERE strategy_id = 'quiet'"
    )
    assert silence.tell_silence(pool, NOW + timedelta(hours=1)) == 2  # the new silence, and that of the other
    pool.close()


def test_the_server_looks_by_itself(database_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(silence, "NEWS", timedelta(days=4))  # a weekend may lie between
    heard(database_url, "quiet", datetime.now(UTC) - timedelta(days=3))
    started = jobs.start_behind(settings)
    wait_until(lambda: len(told(database_url)) == 1, 20, "the notice of a silence")
    for background_work in started:
        background_work.stop()
