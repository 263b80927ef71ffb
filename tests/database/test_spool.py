"""The spool: durable before it is answered, bounded, private, in order, emptied by one at a time."""

import multiprocessing
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from database import spool as spools
from database.spool import EVENTS, QUARANTINE, RECEIPTS, Spool, SpoolUnavailable

NOW = datetime(2026, 3, 2, 17, tzinfo=UTC)
YEARS = timedelta(days=100_000)


def spool_in(folder: Path | None, *, max_mb: int = 8, max_age: timedelta = YEARS) -> Spool:
    return Spool(folder, max_mb=max_mb, max_age=max_age)


def put(spool: Spool, content: str, seconds: float = 0) -> None:
    spool.put(EVENTS, NOW + timedelta(seconds=seconds), content, timeout=1)


def test_what_is_put_is_taken_in_order_of_receipt_and_stays_until_removed(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "spool")
    for content, seconds in (("third", 2.5), ("first", 0), ("second", 2)):
        put(spool, content, seconds)
    assert [one.content for one in spool.take(2)] == ["first", "second"]
    waiting = spool.take(10)
    assert [one.content for one in waiting] == ["first", "second", "third"]
    depth = spool.depth()
    assert (depth.count, depth.oldest) == (3, NOW)
    spool.remove([one.id for one in waiting[:2]])
    assert [one.content for one in spool.take(10)] == ["third"]


def test_long_deliveries_are_not_all_taken_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "TAKEN_AT_ONCE", 10)
    spool = spool_in(tmp_path)
    for number in range(5):
        put(spool, f"{number}" * 6)
    assert [one.content[0] for one in spool.take(5)] == ["0", "1"]


def test_it_outlives_its_process(tmp_path: Path) -> None:
    put(spool_in(tmp_path), "kept")
    assert [(one.kind, one.content) for one in spool_in(tmp_path).take(10)] == [(EVENTS, "kept")]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    put(spool_in(tmp_path / "spool"), "private")
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "spool").iterdir()} == {0o600}


def test_every_write_is_on_the_disk(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    put(spool, "x")
    connection = spool._open()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_off(tmp_path: Path) -> None:
    spool = spool_in(None)
    with pytest.raises(SpoolUnavailable) as refusal:
        put(spool, "x")
    assert (refusal.value.status, refusal.value.retry_after) == (503, 5)
    assert (spool.take(1), spool.depth().count) == ([], 0)
    with spool.draining() as ours:
        assert not ours


def test_full_is_refused_and_room_is_used_again(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, max_mb=1)
    kept = 0
    with pytest.raises(SpoolUnavailable, match="OperationalError"):
        for kept in range(100):
            put(spool, "x" * 60_000, kept)
    assert 5 < kept < 20
    assert (tmp_path / "spool.sqlite").stat().st_size <= 1024 * 1024
    marked = spool.full_since()
    assert marked is not None
    assert abs(marked - datetime.now(UTC)) < timedelta(minutes=5)
    put(spool, "a small one still fits", kept)
    spool.remove([one.id for one in spool.take(3)])
    put(spool, "x" * 60_000, kept)


def test_what_does_not_fit_does_not_fail_its_neighbours(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, max_mb=1)
    put(spool, "x" * 900_000)
    results: dict[str, bool] = {}

    def offer(name: str, content: str) -> None:
        try:
            put(spool, content)
            results[name] = True
        except SpoolUnavailable:
            results[name] = False

    with spool._lock:  # both wait, and are then written together
        threads = [
            threading.Thread(target=offer, args=arguments) for arguments in (("big", "x" * 500_000), ("small", "y"))
        ]
        for thread in threads:
            thread.start()
        while len(spool._offered) < 2:
            threading.Event().wait(0.01)
    for thread in threads:
        thread.join()
    assert results == {"big": False, "small": True}


def test_refusals_leave_half_of_it_to_alerts(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, max_mb=1)
    with pytest.raises(SpoolUnavailable):
        for _ in range(100):
            spool.put(RECEIPTS, NOW, "x" * 30_000, timeout=1, share=0.5)
    assert 10 < spool.depth().count < 20
    assert spool.full_since() is None
    put(spool, "x" * 300_000)
    spool.remove([one.id for one in spool.take(100)])
    spool.put(RECEIPTS, NOW, "there is room again", timeout=1, share=0.5)


def test_too_old_is_refused(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, max_age=timedelta(hours=1))
    spool.put(EVENTS, datetime.now(UTC) - timedelta(hours=2), "old", timeout=1)
    with pytest.raises(SpoolUnavailable):
        spool.put(EVENTS, datetime.now(UTC), "new", timeout=1)
    assert spool.depth().count == 1


def test_unwritable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolUnavailable, match=r"NotADirectoryError|FileExistsError"):
        put(spool_in(tmp_path / "file"), "x")


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").write_bytes(b"this is no database at all, but long enough to be looked at" * 20)
    spool = spool_in(tmp_path)
    with pytest.raises(SpoolUnavailable):
        put(spool, "x")
    with pytest.raises(SpoolUnavailable):
        spool.depth()


def test_a_locked_file_is_refused_in_time(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    put(spool, "x")
    other = sqlite3.connect(tmp_path / "spool.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SpoolUnavailable):
        put(spool, "y")
    other.execute("ROLLBACK")
    other.close()
    put(spool, "z")
    assert [one.content for one in spool.take(5)] == ["x", "z"]


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    with ThreadPoolExecutor(32) as senders:
        list(senders.map(lambda n: spool.put(QUARANTINE, NOW, str(n), timeout=5), range(500)))
    assert sorted(int(one.content) for one in spool.take(1000)) == list(range(500))


def _put_many(folder: Path, first: int) -> None:
    spool = spool_in(folder)
    for n in range(first, first + 50):
        put(spool, str(n))


def test_many_processes_share_it(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_put_many, args=(tmp_path, 100 * n)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert spool_in(tmp_path).depth().count == 150


def _hold(folder: Path, held: Event, done: Event) -> None:
    with spool_in(folder).draining() as ours:
        assert ours
        held.set()
        done.wait(30)


def test_one_process_at_a_time_drains_and_its_end_frees_the_way(tmp_path: Path) -> None:
    put(spool_in(tmp_path), "x")
    spawn = multiprocessing.get_context("spawn")
    held, done = spawn.Event(), spawn.Event()
    process = spawn.Process(target=_hold, args=(tmp_path, held, done))
    process.start()
    assert held.wait(30)
    with spool_in(tmp_path).draining() as ours:
        assert not ours
    process.kill()
    process.join(30)
    with spool_in(tmp_path).draining() as ours:
        assert ours
