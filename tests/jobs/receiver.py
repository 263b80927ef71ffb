"""A real receiver of notices on loopback that fails, hangs or recovers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Remembers every request; `mood` says how it answers: a status, "hang", "drip" or "break"."""

    def __init__(self) -> None:
        self.mood: int | str = 204
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[dict[str, str], str]] = []
        self.taken: list[str] = []
        self.let_go = threading.Event()
        self.url = ""

    def bodies(self) -> list[Any]:
        """What was sent, as JSON."""
        return [json.loads(body) for _, body in self.requests]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.receiver = receiver


class _Handler(BaseHTTPRequestHandler):
    @property
    def receiver(self) -> Receiver:
        assert isinstance(self.server, _Server)
        return self.server.receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.requests.append((headers, body))
        if isinstance(self.receiver.mood, int):
            self._answer(self.receiver.mood, headers.get("webhook-id", body))
        elif self.receiver.mood == "hang":
            self.receiver.let_go.wait(30)
        elif self.receiver.mood == "drip":
            self._drip()

    def _answer(self, status: int, identity: str) -> None:
        if status < 300:
            self.receiver.taken.append(identity)
        self.send_response(status)
        for name, value in self.receiver.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _drip(self) -> None:
        """A byte now and then: each one within a socket's timeout."""
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.receiver.let_go.wait(0.05):
                self.wfile.write(b"x")
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens while the block runs."""
    receiver = Receiver()
    server = _Server(receiver)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook?key=very-secret-key"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()
