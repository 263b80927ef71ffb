"""Where an alert goes: the database, else the spool, else nowhere and the sender is told."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from database.durable import Breaker, DurableStore
from database.receipts import Delivery
from database.signals import Stored
from database.spool import Spool, SpoolUnavailable
from database.writer import SignalWriter
from errors import DatabaseError, PoisonRow, QueryBug, RetryableDatabaseError, Unavailable
from state import jsontext
from state.event import SignalEvent
from tests.database.test_writer import event

HERE = Delivery(datetime(2026, 3, 2, 17, tzinfo=UTC), "203.0.113.7")


class FailingWriter(SignalWriter):
    """A writer that answers as it is told."""

    def __init__(self, error: Exception) -> None:
        super().__init__("postgresql://nobody@127.0.0.1:1/none")
        self.error = error
        self.asked = 0

    def write(self, events: Sequence[SignalEvent], *, timeout: float, delivery: Delivery) -> list[Stored]:
        self.asked += 1
        raise self.error


def store_with(error: Exception, folder: Path | None) -> tuple[DurableStore, FailingWriter, Spool]:
    writer = FailingWriter(error)
    spool = Spool(folder, max_mb=8, max_age=timedelta(days=100_000))
    return DurableStore(writer, spool, Breaker()), writer, spool


def soon() -> float:
    return time.monotonic() + 2


@pytest.mark.parametrize("error", [RetryableDatabaseError("away"), QueryBug("ours"), DatabaseError("other")])
def test_a_failing_database_means_the_spool_and_is_not_asked_again(tmp_path: Path, error: DatabaseError) -> None:
    store, writer, spool = store_with(error, tmp_path)
    written = store.write([event("a"), event("b")], until=soon(), delivery=HERE)
    assert (written.durable, written.places) == ("spool", [Stored(None, duplicate=False)] * 2)
    assert store.database_away
    store.write([event("c")], until=soon(), delivery=HERE)
    assert writer.asked == 1
    first, _ = (jsontext.stored(waiting.content) for waiting in spool.take(5))
    assert (first["peer"], first["replay_of"], len(first["rows"])) == ("203.0.113.7", None, 2)


def test_a_late_database_means_the_spool_but_is_asked_again(tmp_path: Path) -> None:
    store, writer, _ = store_with(Unavailable("late"), tmp_path)
    for _ in range(2):
        assert store.write([event("a")], until=soon(), delivery=HERE).durable == "spool"
    assert (writer.asked, store.database_away) == (2, False)


def test_poison_is_nobodys_fault_but_the_bodys(tmp_path: Path) -> None:
    store, _, spool = store_with(PoisonRow("bad"), tmp_path)
    with pytest.raises(PoisonRow):
        store.write([event("a")], until=soon(), delivery=HERE)
    assert not store.database_away
    assert spool.depth().count == 0


def test_without_a_spool_the_sender_is_told() -> None:
    store, _, _ = store_with(RetryableDatabaseError("away"), None)
    with pytest.raises(SpoolUnavailable) as refusal:
        store.write([event("a")], until=soon(), delivery=HERE)
    assert (refusal.value.status, refusal.value.retry_after) == (503, 5)


def test_the_breaker_closes_when_the_database_has_answered() -> None:
    breaker = Breaker()
    breaker.open("DATABASE_TIMEOUT")
    assert breaker.away
    breaker.close()
    assert not breaker.away
