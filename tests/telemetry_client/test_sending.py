"""The client against the real server: stopped, frozen and restarted; over forks, exits and the spool."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from telemetry_client import HttpStorage, Refused, TelemetryManager, Unreachable
from telemetry_client.spool import Spool, new_batch
from tests.conftest import run_sql
from tests.processes import ROOT, Server

EXAMPLE = ROOT / "docs" / "examples" / "telemetry_random_walk.py"
TABLES = (
    "dd_breakout_signals",
    "dd_trade_performance",
    "dd_equity_points",
    "dd_order_metrics",
    "dd_api_latency",
    "dd_system_health",
)


@pytest.fixture
def alertbook(database_url: str, tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path / "data", {"DATABASE_URL": database_url})
    yield one
    if one.process is not None and one.process.poll() is None:
        one.signal(signal.SIGCONT)
    one.end()


def stored(database_url: str) -> int:
    """How many records the server has, of all kinds."""
    return sum(int(str(run_sql(database_url, f"SELECT count(*) FROM {table}")[0][0])) for table in TABLES)  # noqa: S608


def script(*arguments: str, code: str | None = None) -> "subprocess.Popen[str]":
    """A trading script in a process of its own."""
    command = [sys.executable, *(["-c", textwrap.dedent(code)] if code else [str(EXAMPLE)]), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(process: "subprocess.Popen[str]") -> Any:
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


@pytest.mark.faults
def test_a_script_loses_nothing_to_a_frozen_and_a_killed_server(alertbook: Server, database_url: str) -> None:
    alertbook.start()
    walk = script("--url", alertbook.url, "--seconds", "9", "--rate", "500")
    time.sleep(2)
    alertbook.signal(signal.SIGSTOP)
    time.sleep(2.5)
    alertbook.signal(signal.SIGCONT)
    time.sleep(1)
    alertbook.signal(signal.SIGKILL)
    assert alertbook.process is not None
    alertbook.process.wait()
    time.sleep(1)
    alertbook.start()
    stats = told(walk)["stats"]
    assert stats["recorded"] == 4500
    assert stats["failures"] > 0
    assert (stats["sent"], stats["queued"], stats["dropped"], stats["lost"]) == (4500, 0, 0, 0)
    assert stored(database_url) == 4500


@pytest.mark.faults
def test_a_server_that_is_never_there_leaves_a_spool_for_the_next_run(
    alertbook: Server, database_url: str, tmp_path: Path
) -> None:
    spool = tmp_path / "spool.ndjson"
    given = ("--url", alertbook.url, "--seconds", "1", "--rate", "500", "--flush", "0", "--spool", str(spool))
    started = time.monotonic()
    first = told(script(*given))["stats"]
    assert time.monotonic() - started < 20
    assert (first["spooled"], first["lost"], first["sent"]) == (500, 0, 0)
    assert spool.exists()
    # frozen: the listening socket takes the connection and nobody answers
    alertbook.start()
    alertbook.signal(signal.SIGSTOP)
    second = told(script(*given, "--seed", "2"))["stats"]
    assert second["sent"] + second["spooled"] == 500
    alertbook.signal(signal.SIGCONT)
    third = told(script(*given[:-4], "--flush", "30", "--spool", str(spool), "--seed", "3"))["stats"]
    assert (third["sent"], third["lost"]) == (500, 0)
    assert third["resent"] + third["resent_rejected"] == 500 + second["spooled"]
    assert third["resent_rejected"] == 0
    assert stored(database_url) == 1500
    assert list(tmp_path.glob("spool*")) == []


def test_an_exit_flushes_and_forks_send_their_own(alertbook: Server, database_url: str) -> None:
    alertbook.start()
    code = f"""
        import multiprocessing, os
        from telemetry_client import HttpStorage, TelemetryManager

        telemetry = TelemetryManager(HttpStorage("{alertbook.url}"), batch_size=1000, flush_interval_seconds=3600)

        def record(script, count):
            for _ in range(count):
                telemetry.record_api_latency(1, script, 1)

        record("parent", 100)
        child = os.fork()
        if child == 0:
            record("child", 10)
            raise SystemExit
        os.waitpid(child, 0)
        process = multiprocessing.get_context("fork").Process(target=record, args=("grandchild", 7))
        process.start()
        process.join()
        record("parent", 100)
        print("{{}}")
    """
    told(script(code=code))
    found = run_sql(database_url, "SELECT script_name, count(*) FROM dd_api_latency GROUP BY 1 ORDER BY 1")
    assert found == [("child", 10), ("grandchild", 7), ("parent", 200)]


def test_an_exit_waits_no_longer_than_two_seconds_for_a_frozen_server() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        code = f"""
            import atexit, json, time
            # what is registered first runs last
            atexit.register(lambda: print(json.dumps([time.monotonic() - start, telemetry.stats()])))
            from telemetry_client import HttpStorage, TelemetryManager

            telemetry = TelemetryManager(HttpStorage("http://127.0.0.1:{silent.getsockname()[1]}", timeout=30))
            telemetry.record_api_latency(1, "s", 1)
            start = time.monotonic()
        """
        seconds, stats = told(script(code=code))
    assert 1.9 < seconds < 6
    assert (stats["lost"], stats["recorded"]) == (1, 1)


def test_an_exit_does_not_wait_for_threads_that_never_pause() -> None:
    code = """
        import threading
        from telemetry_client import HttpStorage, TelemetryManager

        telemetry = TelemetryManager(HttpStorage("http://127.0.0.1:1"))

        def record():
            while True:
                telemetry.record_api_latency(1, "s", 1)

        for _ in range(4):
            threading.Thread(target=record, daemon=True).start()
        while not telemetry.stats()["dropped"]:
            pass
        print("{}")
    """
    told(script(code=code))


class Scripted(BaseHTTPRequestHandler):
    """Answers what the test says."""

    protocol_version = "HTTP/1.1"
    answers: list[tuple[int, bytes, dict[str, str]]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body, headers = self.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return None


@pytest.fixture
def scripted() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


GOOD = b'{"accepted": 1, "rejected": [], "duplicate": false}'


def test_answers_and_what_they_mean(scripted: HTTPServer) -> None:
    storage = HttpStorage(f"http://127.0.0.1:{scripted.server_port}", api_key="k", timeout=5)
    closes = {"Connection": "close"}
    Scripted.answers = [(200, GOOD, closes)]
    assert storage.send("b", b"{}\n", 1).accepted == 1
    for status, headers, pause in ((503, {"Retry-After": "7"}, 7.0), (429, {}, None), (401, {}, None), (500, {}, None)):
        Scripted.answers = [(status, b"no", {**closes, **headers})]
        with pytest.raises(Unreachable, match=str(status)) as caught:
            storage.send("b", b"{}\n", 1)
        assert caught.value.retry_after == pause
    for status in (400, 409, 413, 415, 422):
        Scripted.answers = [(status, b"no", closes)]
        with pytest.raises(Refused, match=str(status)):
            storage.send("b", b"{}\n", 1)
    for status in (302, 308):
        Scripted.answers = [(status, b"no", {**closes, "Location": "https://there.example/"})]
        with pytest.raises(Unreachable, match=r"https://there\.example/ as its url"):
            storage.send("b", b"{}\n", 1)
    for page in (b"<html>", b"[]", b"{}", b'{"accepted": "x", "rejected": [], "duplicate": false}'):
        Scripted.answers = [(200, page, closes)]
        with pytest.raises(Unreachable, match="not that of an ingest endpoint"):
            storage.send("b", b"{}\n", 1)
    storage.close()


def test_nobody_listening_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        HttpStorage("http://127.0.0.1:1").send("b", b"{}\n", 1)
    with pytest.raises(ValueError, match="http://"):
        HttpStorage("ftp://127.0.0.1")


def test_a_full_address_is_taken_as_it_is() -> None:
    assert HttpStorage("https://x.example/base/")._path == "/base/api/v1/telemetry/ingest"
    assert HttpStorage("http://x.example/v2/ingest")._path == "/v2/ingest"


def test_two_processes_share_a_spool_without_losing_a_file(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    for number in range(3):
        Spool(path).write([new_batch([f'{{"n":{number}}}'])])
    taken = Spool(path).take()
    assert sorted(batch.body for _, batches in taken for batch in batches) == [b'{"n":%d}\n' % n for n in range(3)]
    # who comes later finds nothing, as long as the first lives
    assert Spool(path).take() == []
    for name, _ in taken:
        Spool.done(name)
    assert list(tmp_path.iterdir()) == []


def test_a_spool_of_a_dead_process_is_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    Spool(path).write([new_batch(["{}"])])
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for pid in (dead.pid, os.getpid()):  # a container's next run has the same number as its last
        (found,) = tmp_path.iterdir()
        found.rename(tmp_path / f"spool.sending-{pid}-abc")
        ((name, batches),) = Spool(path).take()
        assert len(batches) == 1
        Path(name).rename(path)
    path.rename(tmp_path / "spool.sending-1-abc")
    assert Spool(path).take() == []


def test_a_spool_leaves_other_files_alone(tmp_path: Path) -> None:
    others = ["walk.py", "walk.db", "walk.bak.sending-1-ab", "walking", "walk.broken-ab"]
    for name in others:
        (tmp_path / name).write_text("mine")
    (tmp_path / "walk").mkdir()
    assert Spool(tmp_path / "walk").take() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "walk"])
    assert (tmp_path / "walk.py").read_text() == "mine"
    Spool(tmp_path / "walk").write([new_batch(["{}"])])
    assert len(Spool(tmp_path / "walk").take()) == 1


def test_a_broken_spool_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("not json\n")
    assert Spool(tmp_path / "spool").take() == []
    assert [path.name.partition("-")[0] for path in tmp_path.iterdir()] == ["spool.broken"]
    assert Spool(tmp_path / "spool").take() == []


def test_a_spool_that_cannot_be_written_is_a_loss_that_is_told(tmp_path: Path) -> None:
    manager = TelemetryManager(HttpStorage("http://127.0.0.1:1"), spool_path=tmp_path / "no" / "folder" / "spool")
    manager.record_api_latency(1, "s", 1)
    manager.close(0.1)
    assert manager.stats()["lost"] == 1
