"""The intake of a real server: what arrives slowly, in pieces, too long or not at all."""

import errno
import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from database.embedded import running_url
from tests.conftest import run_sql
from tests.processes import Server, none_left, only_when, server, wait_until

SECRET = "canary-7b1d22f09c5e4a63"
WEBHOOK = f"/api/automated-signals/webhook/{SECRET}"
GOOD = b'{"type":"ENTRY","signal_id":"%s","entry_price":1}'


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("intake") / "data"
    with server(data, environment={"WEBHOOK_SECRET": SECRET}) as started:
        yield started


class Raw:
    """A connection on which anything can be said."""

    def __init__(self, one: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", one.port), timeout=20)

    def say(self, *parts: bytes | str) -> "Raw":
        for part in parts:
            self.socket.sendall(part if isinstance(part, bytes) else part.encode())
        return self

    def head(self, *headers: str, path: str = WEBHOOK) -> "Raw":
        return self.say("\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *headers, "", ""]))

    def answer(self) -> tuple[int, Any]:
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        body = response.read()
        self.socket.close()
        return response.status, json.loads(body)


@contextmanager
def halted(one: Server) -> Iterator[None]:
    """No worker does anything: what is sent lies in the system's queue."""
    workers = psutil.Process(one.pid).children()
    for worker in workers:
        worker.suspend()
    try:
        yield
    finally:
        for worker in workers:
            worker.resume()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_a_chunked_body_is_taken_whole(one: Server) -> None:
    body = GOOD % b"chunked"
    connection = Raw(one).head("Transfer-Encoding: chunked")
    status, answer = connection.say(*(chunk(body[at : at + 7]) for at in range(0, len(body), 7)), b"0\r\n\r\n").answer()
    assert (status, answer["trade_id"], answer["durable"]) == (200, "chunked", "database")


@pytest.mark.parametrize("size", [65_537, 200_000])
def test_a_chunked_body_over_the_limit_is_refused_and_not_cut(one: Server, size: int) -> None:
    body = (GOOD % b"cut").ljust(size)
    connection = Raw(one).head("Transfer-Encoding: chunked")
    status, answer = connection.say(chunk(body), b"0\r\n\r\n").answer()
    assert (status, answer["code"]) == (413, "BODY_TOO_LARGE")


def test_a_body_of_just_the_limit_is_taken(one: Server) -> None:
    body = (GOOD % b"limit").ljust(65_536)
    assert Raw(one).head(f"Content-Length: {len(body)}").say(body).answer()[0] == 200
    assert Raw(one).head("Content-Length: 65537").answer()[0] == 413


@pytest.mark.parametrize("rest", [b"", b"1"])
def test_a_body_that_ends_early_is_no_alert(one: Server, rest: bytes) -> None:
    body = GOOD % b"short"
    connection = Raw(one).head(f"Content-Length: {len(body) + 5}").say(body, rest)
    connection.socket.shutdown(socket.SHUT_WR)
    status, answer = connection.answer()
    assert (status, answer["code"]) == (400, "INCOMPLETE_BODY")


@pytest.mark.parametrize(
    "said",
    [b"", b"5\r\nab", b"zz\r\n{}\r\n0\r\n\r\n", b"-5\r\n{}\r\n", b"ffffffffffffffffff\r\n{}", b"5\r\n{}\r\n0\r\n\r\n"],
)
def test_broken_chunks_are_no_alert(one: Server, said: bytes) -> None:
    connection = Raw(one).head("Transfer-Encoding: chunked").say(said)
    connection.socket.shutdown(socket.SHUT_WR)
    status, answer = connection.answer()
    assert (status, answer["success"]) == (400, False)


@pytest.mark.parametrize(
    "said",
    [
        f"POST {WEBHOOK} nonsense HTTP/1.1\r\n\r\n",
        f"POST {WEBHOOK} HTTP/9.9\r\n\r\n",
        f"POST {WEBHOOK} HTTP/1.1\r\nbroken header {SECRET}\r\n\r\n",
        f"POST {WEBHOOK} HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        f"POST {WEBHOOK} HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        f"POST {WEBHOOK} HTTP/1.1\r\nTransfer-Encoding: rot13\r\n\r\n",
        f"POST {WEBHOOK} HTTP/1.1\r\nExpect: miracles\r\n\r\n",
        f"GET /{'x' * 9000} HTTP/1.1\r\n\r\n",
        f"GET / HTTP/1.1\r\nX-Long: {'x' * 9000}\r\n\r\n",
        "\x16\x03\x01\x02",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_in_our_shape(one: Server, said: str) -> None:
    with Raw(one).say(said).socket as connection:
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError as error:
            # the server has answered and hung up already; its answer is still to be read
            assert error.errno == errno.ENOTCONN
        with http.client.HTTPResponse(connection) as response:
            try:
                response.begin()
            except http.client.BadStatusLine:
                assert said.startswith("\x16")  # it hangs up on what may be TLS
                return
            body = response.read().decode()
    assert 400 <= response.status < 500, body
    assert SECRET not in body
    assert json.loads(body)["success"] is False
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_compressed_bodies_are_not_taken(one: Server) -> None:
    status, answer = Raw(one).head("Content-Encoding: gzip", "Content-Length: 2").say(b"{}").answer()
    assert (status, answer["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(("path", "least", "most"), [(WEBHOOK, 1.4, 2.0), ("/api/v1/quarantine/replay", 4.9, 6.5)])
@pytest.mark.parametrize("drip", [False, True])
def test_a_body_that_does_not_arrive_ends_in_408(one: Server, path: str, least: float, most: float, drip: bool) -> None:
    if drip and path != WEBHOOK:
        return_after = GOOD % b"drip"
        connection = Raw(one).head(f"Content-Length: {len(return_after)}", path=path)
        for byte in return_after[:8]:
            connection.say(bytes([byte]))
            time.sleep(0.1)
        assert connection.say(return_after[8:]).answer()[0] == 422
        return
    connection = Raw(one).head("Content-Length: 1000", path=path)
    started = time.monotonic()
    if drip:
        for _ in range(10):
            connection.say(b" ")
            time.sleep(0.1)
    status, answer = connection.answer()
    assert (status, answer["code"]) == (408, "REQUEST_TIMEOUT")
    # bounds with room for a busy machine: it neither gave up at once nor waited for ever
    assert least < time.monotonic() - started < 3 * most


def test_commits_wait_for_the_disk_whatever_the_servers_default(tmp_path: Path) -> None:
    with server(tmp_path / "data", environment={"WEBHOOK_SECRET": SECRET}) as one:
        url = running_url(one.data)
        assert url is not None
        run_sql(url, "ALTER DATABASE alertbook SET synchronous_commit = off")
        run_sql(
            url,
            "CREATE FUNCTION commit_of_the_row() RETURNS text LANGUAGE sql AS"
            " $$ SELECT current_setting('synchronous_commit') $$",
        )
        run_sql(url, "ALTER TABLE automated_signals ADD COLUMN how text DEFAULT commit_of_the_row()")
        assert Raw(one).head("Content-Length: 54").say((GOOD % b"how").ljust(54)).answer()[0] == 200
        assert run_sql(url, "SELECT current_setting('synchronous_commit'), how FROM automated_signals") == [
            ("off", "on")
        ]


def test_no_worker_outlives_its_master(tmp_path: Path) -> None:
    one = Server(tmp_path / "data", {"WEBHOOK_SECRET": SECRET, "WEB_CONCURRENCY": "2"})
    try:
        one.start()
        workers = psutil.Process(one.pid).children(recursive=True)
        assert len(workers) > 5
        os.kill(one.pid, signal.SIGKILL)
        none_left(workers)
    finally:
        one.end()


def test_what_lay_in_the_queue_for_long_is_asked_for_again_while_its_sender_waits(one: Server) -> None:
    only_when(sys.platform.startswith("linux"), "on Linux")
    body = GOOD % b"waited"
    with halted(one):
        waiting = Raw(one).head(f"Content-Length: {len(body)}").say(body)
        time.sleep(1.7)
    status, answer = waiting.answer()
    assert (status, answer["code"]) == (503, "UNAVAILABLE")
    again = Raw(one).head(f"Content-Length: {len(body)}").say(body).answer()[1]
    assert (again["durable"], again.get("duplicate")) == ("database", None)


def test_what_lay_in_the_queue_until_its_sender_gave_up_is_stored(one: Server) -> None:
    only_when(sys.platform.startswith("linux"), "on Linux")
    body = GOOD % b"given_up"
    with halted(one):
        Raw(one).head(f"Content-Length: {len(body)}").say(body).socket.close()
        time.sleep(1.7)
    count = "SELECT count(*) FROM automated_signals WHERE trade_id = 'given_up'"
    wait_until(lambda: run_sql(running_url(one.data) or "", count)[0][0] == 1, 10, "the alert")
