"""The database dies, freezes and fills up under load: what was answered 200 is there afterwards, once."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import run_sql
from tests.faults.checks import assert_drained_soon, numbers, tell, url_of, verify, waiting
from tests.faults.senders import SECRET, Senders
from tests.processes import Server, needs, only_when, server, wait_until

pytestmark = pytest.mark.faults

FROZEN_SECONDS = 15.0


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path / "data", environment={"WEBHOOK_SECRET": SECRET, "WEB_CONCURRENCY": "2"}) as started:
        yield started


def postmaster(one: Server) -> psutil.Process:
    """The database's first process, once it is there."""
    file = one.data / "postgres" / "postmaster.pid"
    wait_until(lambda: file.exists() and bool(file.read_text().split()), 20, "a postmaster")
    return psutil.Process(int(file.read_text().split()[0]))


def backends(one: Server) -> list[psutil.Process]:
    """The processes that serve the web workers' connections."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'alertbook-%'"
    return [psutil.Process(int(str(pid))) for (pid,) in run_sql(url_of(one), query)]


def test_a_backend_is_killed_ten_times(one: Server) -> None:
    with Senders(one.url).running() as senders:
        for _ in range(10):
            time.sleep(1)
            children = [child for child in postmaster(one).children() if "[local]" in "".join(child.cmdline())]
            for child in children[:1]:
                child.kill()
    summary = verify(one, senders)
    assert set(summary) <= {"200", "database", "spool"}


def test_the_whole_database_is_killed_and_comes_back(one: Server) -> None:
    with Senders(one.url).running() as senders:
        for _ in range(2):
            time.sleep(2)
            first = postmaster(one)
            for process in [first, *first.children(recursive=True)]:
                process.kill()
            assert_drained_soon(one)
        time.sleep(1)
    summary = verify(one, senders)
    assert set(summary) <= {"200", "database", "spool"}
    assert summary["spool"] > 0


def test_backends_freeze(one: Server) -> None:
    with Senders(one.url).running() as senders:
        time.sleep(1)
        frozen = backends(one)
        for process in frozen:
            process.suspend()
        time.sleep(FROZEN_SECONDS)
        for process in frozen:
            if process.is_running():
                process.resume()
        time.sleep(1)
    summary = verify(one, senders)
    assert set(summary) <= {"200", "database", "spool"}


def test_all_of_the_database_freezes(one: Server) -> None:
    with Senders(one.url).running() as senders:
        time.sleep(1)
        first = postmaster(one)
        frozen = [first, *first.children(recursive=True)]
        for process in frozen:
            process.suspend()
        time.sleep(FROZEN_SECONDS)
        for process in frozen:
            process.resume()
        assert_drained_soon(one)
        time.sleep(1)
    summary = verify(one, senders)
    assert set(summary) <= {"200", "database", "spool"}
    assert summary["spool"] > 0


def test_the_postmaster_alone_freezes(one: Server) -> None:
    with Senders(one.url).running() as senders:
        time.sleep(1)
        first = postmaster(one)
        first.suspend()
        time.sleep(FROZEN_SECONDS)
        first.resume()
        time.sleep(1)
    summary = verify(one, senders)
    assert set(summary) <= {"200", "database", "spool"}


@pytest.fixture
def on_a_small_disk(tmp_path: Path) -> Iterator[Server]:
    """A server whose cluster lies on a disk of its own that can be filled."""
    only_when(os.geteuid() == 0, "as root, which can mount")
    needs(shutil.which("mount"), "mount")
    data = tmp_path / "data"
    environment = {"WEBHOOK_SECRET": SECRET, "WEB_CONCURRENCY": "2"}
    with server(data, environment=environment):
        pass
    aside, cluster = tmp_path / "aside", data / "postgres"
    cluster.rename(aside)
    cluster.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=220m", "tmpfs", str(cluster)], check=True)
    try:
        subprocess.run(["cp", "-a", f"{aside}/.", str(cluster)], check=True)
        with server(data, environment=environment) as started:
            yield started
    finally:
        subprocess.run(["umount", "--lazy", str(cluster)], check=True)


def test_the_disk_of_the_database_is_full(on_a_small_disk: Server) -> None:
    one = on_a_small_disk
    ballast = one.data / "postgres" / "ballast"
    with Senders(one.url).running() as senders:
        time.sleep(1)
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:  # in pieces: the database is writing at the same time
                file.write(b"x" * 65536)
        run_sql_until_full(one)
        time.sleep(5)
        ballast.unlink()
        wait_until(lambda: waiting(one) == 0, 30, "an empty spool")
        time.sleep(1)
    summary = verify(one, senders)
    assert set(summary) <= {"200", "database", "spool"}
    assert summary["spool"] > 0


def run_sql_until_full(one: Server) -> None:
    """Use up what is left inside the files that the database has already."""
    program = (
        "import sys, psycopg2; c = psycopg2.connect(sys.argv[1]); k = c.cursor();"
        'k.execute("CREATE TABLE filling AS SELECT repeat(md5(n::text), 100) FROM generate_series(1, 100000) n")'
    )
    done = subprocess.run(
        [sys.executable, "-c", program, url_of(one)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "No space left" in done.stderr or "server closed" in done.stderr, done.stderr


def test_a_full_spool_is_said_and_the_resends_of_tradingview_arrive(tmp_path: Path) -> None:
    environment = {"WEBHOOK_SECRET": SECRET, "WEB_CONCURRENCY": "2", "SPOOL_MAX_MB": "1"}
    with server(tmp_path / "data", environment=environment) as one:
        first = postmaster(one)
        frozen = [first, *first.children(recursive=True)]
        for process in frozen:
            process.suspend()
        filler = Senders(one.url, pause=0, prefix="f")
        with filler.running():
            wait_until(lambda: any(503 in sent.statuses for sent in filler.sent), 60, "a full spool")
        with Senders(one.url, factor=2.5, resends=True, pause=0.2).running() as senders:
            time.sleep(2)
            for process in frozen:
                process.resume()
            assert_drained_soon(one)
            time.sleep(3)
        tell(filler)
        summary = verify(one, senders)
        refused = [sent for sent in senders.sent if 503 in sent.statuses]
        assert refused
        assert all(sent.accepted for sent in senders.sent), "a resend that came back was not taken"
        assert {after for sent in refused for after in sent.retry_after if after} == {"5"}
        assert set(summary) <= {"200", "503", "database", "spool"}
        stored = {trade_id for (trade_id,) in run_sql(url_of(one), "SELECT trade_id FROM automated_signals")}
        lost = [sent.id for sent in filler.sent if sent.accepted and sent.id not in stored]
        assert lost == []
        assert resends(one) > 0


def resends(one: Server) -> int:
    """How many deliveries the server itself knows as resends: at TradingView's pace, so 4 to 20 s apart."""
    totals = numbers(one)["totals"]
    assert isinstance(totals, dict)
    return int(totals["resend"]) + int(totals["refused"])


def test_without_redis_nothing_is_missing(tmp_path: Path) -> None:
    environment = {"WEBHOOK_SECRET": SECRET, "REDIS_URL": "redis://127.0.0.1:1/0"}
    with server(tmp_path / "data", environment=environment) as one:
        with Senders(one.url).running() as senders:
            time.sleep(2)
        summary = verify(one, senders)
    assert set(summary) == {"200", "database"}


def test_frozen_workers_hold_up_nobody_after_sigcont(one: Server) -> None:
    workers = [child for child in psutil.Process(one.pid).children() if "gunicorn" in " ".join(child.cmdline())]
    with Senders(one.url).running() as senders:
        time.sleep(1)
        os.kill(workers[0].pid, signal.SIGSTOP)
        time.sleep(5)
        os.kill(workers[0].pid, signal.SIGCONT)
        time.sleep(1)
    verify(one, senders, answered_within=None)
