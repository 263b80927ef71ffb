"""What did not become a new event leaves a row; what nobody let in is counted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from database import receipts
from database.pool import Pool
from database.receipts import Delivery, Tally, refusal
from errors import RetryableDatabaseError
from tests.conftest import run_sql
from tests.database.test_writer import Writer, event, later

AT = datetime(2026, 3, 2, 17, 59, 59, tzinfo=UTC)
HERE = Delivery(AT, "203.0.113.7")


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    made = Pool(database_url, 2)
    yield made
    made.close()


def test_repeats_and_replays_leave_rows_in_the_same_transaction(database_url: str) -> None:
    writer = Writer(database_url)
    (first,) = writer.write([event("a")], timeout=5)
    writer.write([event("a", received_at=later(3))], timeout=5, delivery=Delivery(later(3), "203.0.113.7"))
    writer.write([event("b")], timeout=5, delivery=Delivery(later(4), "203.0.113.8", replay_of=9))
    writer.close()
    rows = run_sql(database_url, "SELECT kind, status, event_id, quarantine_id, peer FROM receipt ORDER BY id")
    assert rows[0] == ("repeat", 200, first.event_id, None, "203.0.113.7")
    assert (rows[1][0], rows[1][3], rows[1][4]) == ("replay", 9, "203.0.113.8")


def test_counts_add_up_over_reports_and_hours(pool: Pool, database_url: str) -> None:
    tally = Tally()
    for seconds in (0, 0, 1):
        tally.count("unauthenticated", AT + timedelta(seconds=seconds))
    assert tally.report(pool) == 2
    tally.count("unauthenticated", AT)
    tally.report(pool)
    assert tally.report(pool) == 0
    rows = run_sql(
        database_url, "SELECT extract(hour FROM hour AT TIME ZONE 'UTC'), deliveries FROM intake_hour ORDER BY 1"
    )
    assert [(int(str(hour)), count) for hour, count in rows] == [(17, 3), (18, 1)]


def test_a_report_that_fails_keeps_everything(pool: Pool, database_url: str) -> None:
    tally = Tally()
    tally.refused(refusal(HERE, body_hash="h", status=503, code="DATABASE_UNAVAILABLE"))
    tally.count("unauthenticated", AT)
    away = Pool("postgresql://nobody@127.0.0.1:1/none", 1)
    with pytest.raises(RetryableDatabaseError):
        tally.report(away)
    assert tally.report(pool) == 2
    assert run_sql(database_url, "SELECT kind, status, code, peer, body_hash FROM receipt") == [
        ("refused", 503, "DATABASE_UNAVAILABLE", "203.0.113.7", "h")
    ]


def test_too_many_refusals_are_counted_instead(pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "KEPT_REFUSALS", 3)
    tally = Tally()
    for _ in range(5):
        tally.refused(refusal(HERE, body_hash="h", status=503, code="X"))
    tally.report(pool)
    assert run_sql(database_url, "SELECT count(*) FROM receipt") == [(3,)]
    assert run_sql(database_url, "SELECT kind, deliveries FROM intake_hour") == [("refused", 2)]
