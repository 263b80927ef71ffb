"""Workers and masters are killed and stopped under load; migrations meet; clients dawdle."""

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.faults.checks import tell, url_of, verify
from tests.faults.senders import PATH, SECRET, Senders, Sent, alert, send
from tests.processes import ROOT, Server, none_left, server, wait_until

pytestmark = pytest.mark.faults

ENVIRONMENT = {"WEBHOOK_SECRET": SECRET, "WEB_CONCURRENCY": "2"}


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path / "data", environment=ENVIRONMENT) as started:
        yield started


def workers(one: Server) -> list[psutil.Process]:
    """The master's children that serve requests."""
    return [child for child in psutil.Process(one.pid).children() if "database.keeper" not in " ".join(child.cmdline())]


def test_a_worker_is_killed_again_and_again(one: Server) -> None:
    chance = random.Random(20261120)
    with Senders(one.url).running() as senders:
        for _ in range(20):
            time.sleep(0.4)
            alive = workers(one)
            if alive:
                chance.choice(alive).kill()
    verify(one, senders, answered_within=None)


def test_a_new_worker_serves_soon_after_the_only_one_was_killed(tmp_path: Path) -> None:
    # as installed: with compiled modules
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path / "compiled")}
    with server(tmp_path / "data", environment={**ENVIRONMENT, **compiled, "WEB_CONCURRENCY": "1"}) as one:
        times, costs = [], []
        for _ in range(5):
            time.sleep(1)
            (worker,) = workers(one)
            started = time.monotonic()
            worker.kill()
            wait_until(one.answers, 10, "the next worker")
            times.append(time.monotonic() - started)
            (worker,) = workers(one)
            costs.append(sum(worker.cpu_times()[:2]))
    print(f"new worker after {sorted(round(took, 2) for took in times)} s, CPU {sorted(costs)} s")  # noqa: T201
    # the rest is for whoever else uses the machine
    assert min(costs) < 0.8


def test_the_master_is_killed_and_started_again(tmp_path: Path) -> None:
    one = Server(tmp_path / "data", ENVIRONMENT)
    try:
        one.start()
        with Senders(one.url).running() as senders:
            for _ in range(2):
                time.sleep(2)
                left = workers(one)
                os.kill(one.pid, signal.SIGKILL)
                none_left(left, 10)
                assert one.process is not None
                one.process.wait(10)
                one.start()
            time.sleep(1)
        verify(one, senders, answered_within=None)
    finally:
        one.end()


def test_a_stop_finishes_the_alerts_that_are_arriving(tmp_path: Path) -> None:
    one = Server(tmp_path / "data", ENVIRONMENT).start()
    body = alert("arriving")
    sent = [Sent(f"arriving-{number}") for number in range(30)]
    connections = []
    for each in sent:
        body = alert(each.id)
        connection = socket.create_connection(("127.0.0.1", one.port), timeout=10)
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        connection.sendall(body[:20])
        connections.append(connection)
    time.sleep(0.3)
    one.signal(signal.SIGTERM)
    time.sleep(0.3)
    for each, connection in zip(sent, connections, strict=True):
        connection.sendall(alert(each.id)[20:])
    for each, connection in zip(sent, connections, strict=True):
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        each.statuses.append(answer.status)
        answer.close()
        connection.close()
    one.output()
    assert [each.statuses for each in sent] == [[200]] * len(sent)
    with server(one.data, environment=ENVIRONMENT) as again:
        verify(again, Senders(again.url, journals=[[each] for each in sent]))
    one.end()


def test_two_migrations_at_once_and_one_killed_in_the_middle(tmp_path: Path) -> None:
    with server(tmp_path / "data", environment=ENVIRONMENT) as one:
        command = [sys.executable, str(ROOT / "deploy.py"), "migrate"]
        environment = {**os.environ, "DATABASE_URL": url_of(one), "WEBHOOK_SECRET": SECRET}

        def migrate() -> subprocess.Popen[bytes]:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)

        with Senders(one.url).running() as senders:
            both = [migrate(), migrate()]
            assert [run.wait(60) for run in both] == [0, 0]
            killed = migrate()
            time.sleep(0.4)
            killed.kill()
            killed.wait()
            assert migrate().wait(60) == 0
        summary = verify(one, senders)
    assert set(summary) <= {"200", "database"}


def test_idle_and_slow_connections_hold_up_nobody(one: Server) -> None:
    with Senders(one.url, count=4, pause=0.01, prefix="before").running() as undisturbed:
        time.sleep(4)
    with ExitStack() as open_connections:
        for number in range(2500):
            connection = socket.create_connection(("127.0.0.1", one.port), timeout=20)
            open_connections.callback(connection.close)
            if number >= 2000:
                connection.sendall(b"POST /api/automated-signals/webhook/x HTTP/1.1\r\nHost: localhost\r\n")
                connection.sendall(b'Content-Length: 1000\r\n\r\n{"a')
        with Senders(one.url, count=4, pause=0.01).running() as senders:
            time.sleep(8)
    tell(senders)
    before, p99 = p99_of(undisturbed), p99_of(senders)
    print(f"p99 {before * 1000:.0f} ms, with 2,500 dawdling connections {p99 * 1000:.0f} ms")  # noqa: T201
    assert {status for sent in senders.sent for status in sent.statuses} == {200}
    # on a machine that is busy with other things it is slow without them too
    assert p99 < max(0.25, 3 * before)
    verify(one, senders)


def p99_of(senders: Senders) -> float:
    """Seconds in which 99 of 100 alerts were answered."""
    times = sorted(seconds for sent in senders.sent for seconds in sent.seconds)
    return times[int(len(times) * 0.99)]


def test_a_burst_from_one_address_is_not_slowed_down(one: Server) -> None:
    with Senders(one.url, count=16, pause=0).running() as senders:
        wait_until(lambda: len(senders.sent) > 500, 60, "500 alerts")
    summary = verify(one, senders)
    assert set(summary) == {"200", "database"}
    wrong = Sent("wrong")
    send(one.url.replace("127.0.0.1", "localhost"), wrong, alert("right-again"))
    assert wrong.statuses == [200]
