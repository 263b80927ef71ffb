"""The spool is emptied once, in order, with the original times; poison goes to quarantine and blocks nobody."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from database import quarantine, receipts
from database.caretaker import Caretaker
from database.durable import Breaker, DurableStore
from database.pool import Pool
from database.receipts import Delivery, Tally, refusal
from database.spool import EVENTS, QUARANTINE, Spool, SpoolUnavailable
from database.writer import SignalWriter
from errors import Detail
from state.event import SignalEvent
from tests.conftest import run_sql
from tests.database.test_writer import NOON, event, later, timeless

AWAY = "postgresql://nobody@127.0.0.1:1/none"


@dataclass
class Here:
    url: str
    pool: Pool
    spool: Spool
    breaker: Breaker
    tally: Tally
    caretaker: Caretaker

    def spooled(self, *alerts: SignalEvent, peer: str = "203.0.113.7", replay_of: int | None = None) -> None:
        """Put alerts into the spool, as a server does whose database is away."""
        breaker = Breaker()
        breaker.open("TEST")
        store = DurableStore(SignalWriter(AWAY), self.spool, breaker)
        for alert in alerts:
            store.write([alert], until=0, delivery=Delivery(alert.received_at, peer, replay_of))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return run_sql(self.url, query)


@pytest.fixture
def here(database_url: str, tmp_path: Path) -> Iterator[Here]:
    yield from _here(database_url, database_url, tmp_path)


def _here(url: str, pool_url: str, folder: Path) -> Iterator[Here]:
    pool, breaker, tally = Pool(pool_url, 2), Breaker(), Tally()
    spool = Spool(folder, max_mb=8, max_age=timedelta(days=100_000))
    yield Here(url, pool, spool, breaker, tally, Caretaker(pool, spool, breaker, tally))
    pool.close()


def test_everything_moves_once_the_oldest_first(here: Here) -> None:
    here.spooled(*(event(str(n), received_at=later(n)) for n in reversed(range(150))))
    assert here.caretaker.drain() == 150
    stored = [at for (at,) in here.rows("SELECT received_at FROM automated_signals ORDER BY id")]
    assert stored == [later(n) for n in range(150)]
    assert here.spool.depth().count == 0
    assert here.caretaker.drain() == 0


def test_a_spool_that_was_full_is_told_once(here: Here, tmp_path: Path) -> None:
    small = Spool(tmp_path, max_mb=1, max_age=timedelta(days=100_000))
    for _ in range(2):
        with pytest.raises(SpoolUnavailable):
            small.put(EVENTS, NOON, "x" * 2_000_000, timeout=5)
    for _ in range(2):
        here.caretaker.round()
    assert here.rows("SELECT kind, fact LIKE 'spool:%', title LIKE '%was full%' FROM notice") == [("spool", True, True)]
    assert small.full_since() is None
    with pytest.raises(SpoolUnavailable):
        small.put(EVENTS, NOON, "x" * 2_000_000, timeout=5)
    here.caretaker.round()
    assert here.rows("SELECT count(*) FROM notice") == [(2,)]


def test_what_was_already_stored_stays_one_row_without_a_receipt(here: Here) -> None:
    writer = SignalWriter(here.url)
    for alert in (event("a"), timeless("h", NOON)):
        writer.write([alert], timeout=5, delivery=Delivery(alert.received_at, "203.0.113.7"))
        here.spooled(alert)
    writer.close()
    here.caretaker.drain()
    assert here.rows("SELECT count(*) FROM automated_signals") == [(2,)]
    assert here.rows("SELECT count(*) FROM receipt") == [(0,)]


def test_a_repeat_in_the_spool_leaves_a_receipt(here: Here) -> None:
    here.spooled(event("a"), event("a", received_at=later(3)))
    here.spooled(event("b"), replay_of=7)
    here.caretaker.drain()
    assert here.rows("SELECT kind, trade_id, peer, quarantine_id, received_at FROM receipt ORDER BY id") == [
        ("replay", "t", "203.0.113.7", 7, NOON),
        ("repeat", "t", "203.0.113.7", None, later(3)),
    ]


def test_poison_goes_to_quarantine_and_blocks_nobody(here: Here) -> None:
    here.spooled(event("a"), event("bad", symbol="x" * 101, received_at=later(1)), event("c", received_at=later(2)))
    assert here.caretaker.drain() == 3
    assert here.rows("SELECT event_key FROM automated_signals ORDER BY id") == [("a",), ("c",)]
    (row,) = here.rows("SELECT reason, peer, received_at, convert_from(raw, 'UTF8'), state FROM quarantine")
    assert row == ("CANNOT_BE_STORED", "203.0.113.7", later(1), '{"key":"bad"}', "waiting")


@pytest.mark.parametrize("content", ["not json", "[]", "{}", '{"rows": [{}], "peer": "x", "replay_of": null}'])
def test_what_cannot_be_read_goes_to_quarantine_too(here: Here, content: str) -> None:
    here.spool.put(EVENTS, NOON, content, timeout=1)
    here.spooled(event("a"))
    assert here.caretaker.drain() == 2
    assert here.rows("SELECT convert_from(raw, 'UTF8') FROM quarantine") == [(content,)]
    assert here.rows("SELECT count(*) FROM automated_signals") == [(1,)]


def test_quarantined_bodies_wait_there_too_and_arrive_once(here: Here) -> None:
    held = quarantine.Held(
        received_at=NOON,
        peer="203.0.113.7",
        raw=b"\xff\x00broken",
        reason="NOT_JSON",
        message="no",
        details=[Detail("a", "B", "c")],
        payload_version=None,
        parser_version="1",
    )
    for _ in range(2):
        here.spool.put(QUARANTINE, NOON, held.spooled(), timeout=1)
    here.caretaker.drain()
    query = "SELECT received_at, peer, raw, reason, message, details, parser_version FROM quarantine"
    ((at, peer, raw, *rest),) = here.rows(query)
    assert (at, peer, bytes(raw)) == (NOON, "203.0.113.7", b"\xff\x00broken")  # type: ignore[call-overload]
    assert rest == ["NOT_JSON", "no", [{"field": "a", "code": "B", "message": "c"}], "1"]


def test_refusals_outlive_their_process_and_arrive_once(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [refusal(Delivery(later(n), "203.0.113.7"), body_hash="h", status=413, code="TOO_LARGE") for n in range(3)]
    receipts.spool_refusals(here.spool, rows[:1], timeout=1)
    for row in rows[1:]:
        here.tally.refused(row)
    here.breaker.open("TEST")
    with monkeypatch.context() as away:
        away.setattr(here.caretaker, "_probe", lambda: False)
        here.caretaker.stop()
    assert here.spool.depth().count == 2
    again = Caretaker(here.pool, here.spool, Breaker(), Tally())
    for _ in range(2):
        with monkeypatch.context() as dying, suppress(KeyboardInterrupt):
            dying.setattr(here.spool, "remove", interrupted)
            again.drain()
    again.drain()
    assert here.rows("SELECT kind, status, code, received_at FROM receipt ORDER BY received_at") == [
        ("refused", 413, "TOO_LARGE", later(n)) for n in range(3)
    ]


def interrupted(ids: object) -> None:
    raise KeyboardInterrupt


def test_two_drainers_move_each_once(here: Here) -> None:
    here.spooled(*(event(str(n)) for n in range(300)))
    pools = [Pool(here.url, 2) for _ in range(2)]
    folder = here.spool.folder
    drainers = [
        Caretaker(pool, Spool(folder, max_mb=8, max_age=timedelta(days=1)), Breaker(), Tally()) for pool in pools
    ]
    moved: list[int] = []
    threads = [threading.Thread(target=lambda one=one: moved.append(one.drain())) for one in drainers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for pool in pools:
        pool.close()
    assert sum(moved) == 300
    assert here.rows("SELECT count(*) FROM automated_signals") == [(300,)]
    assert here.rows("SELECT count(*) FROM receipt") == [(0,)]


def test_a_drain_that_dies_before_forgetting_is_repeated_harmlessly(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.spooled(event("a"), timeless("h", NOON))

    with monkeypatch.context() as broken, suppress(KeyboardInterrupt):
        broken.setattr(here.spool, "remove", interrupted)
        here.caretaker.drain()
    assert here.spool.depth().count == 2
    here.caretaker.drain()
    assert here.rows("SELECT count(*) FROM automated_signals") == [(2,)]
    assert here.rows("SELECT count(*) FROM receipt") == [(0,)]


def test_a_round_notices_the_database_and_reports(here: Here) -> None:
    here.breaker.open("TEST")
    here.spooled(event("a"))
    here.tally.count("unauthenticated", NOON)
    here.caretaker.round()
    assert not here.breaker.away
    assert here.rows("SELECT count(*) FROM automated_signals") == [(1,)]
    assert here.rows("SELECT kind, deliveries FROM intake_hour") == [("unauthenticated", 1)]


def test_a_database_that_stays_away_ends_the_round_and_loses_nothing(tmp_path: Path) -> None:
    for here in _here(AWAY, AWAY, tmp_path):
        here.spooled(event("a"))
        here.breaker.open("TEST")
        here.caretaker.round()
        assert here.breaker.away
        here.breaker.close()
        here.caretaker.round()
        assert here.spool.depth().count == 1


def test_an_unforeseen_fault_does_not_leave_the_spool_to_itself(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: seen.set())
    real = here.spool.take

    def fail_once(limit: int) -> object:
        monkeypatch.setattr(here.spool, "take", real)
        raise AssertionError

    monkeypatch.setattr(here.spool, "take", fail_once)
    here.spooled(event("a"))
    here.caretaker.start()
    assert seen.wait(10)
    for _ in range(200):
        if here.spool.depth().count == 0:
            break
        threading.Event().wait(0.05)
    here.caretaker.stop()
    assert here.rows("SELECT count(*) FROM automated_signals") == [(1,)]


def test_old_failures_and_windows_are_forgotten(here: Here) -> None:
    here.rows("INSERT INTO auth_failure VALUES ('a', now() - '2h'::interval, 5), ('b', now(), 5)")
    here.caretaker.round()
    assert here.rows("SELECT address FROM auth_failure") == [("b",)]


def test_replaced_fields_survive_the_spool(here: Here) -> None:
    sent = replace(event("a"), symbol="ES1!", session="NY AM")
    here.spooled(sent)
    here.caretaker.drain()
    assert here.rows("SELECT symbol, session FROM automated_signals") == [("ES1!", "NY AM")]
