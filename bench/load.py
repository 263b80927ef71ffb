"""A load of POSTs from many senders in one process, cheap enough not to be what is measured.

Sockets and epoll, no library: a request is bytes with a fresh trade id patched in, an answer is read to its
Content-Length. Senders either keep their connection or make a new one for every alert.
"""

import heapq
import random
import select
import socket
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

PLACE = b"TRADE_ID"
TEMPLATE = (Path(__file__).parent / "baselines" / "full_telemetry.json").read_bytes()

_ids = count()


@dataclass(frozen=True)
class Result:
    """One run: how long it took, the latencies of good answers in seconds ascending, and the other answers."""

    seconds: float
    latencies: list[float]
    failures: int

    @property
    def per_second(self) -> float:
        """Good answers per second."""
        return len(self.latencies) / self.seconds

    def quantile_ms(self, part: float) -> float:
        """A latency quantile in milliseconds, 0 when nothing was answered."""
        if not self.latencies:
            return 0.0
        return 1000 * self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * part))]


@dataclass
class _Sender:
    """One sender's connection and the answer that is coming in on it."""

    number: int
    sock: socket.socket | None = None
    sent_at: float = 0.0
    answer: bytearray = field(default_factory=bytearray)
    expected: int = -1


class Load:
    """Posts to one path of one local port, from `senders` at once."""

    def __init__(self, port: int, path: str, *, senders: int, keep: bool, pause: float = 0.0) -> None:
        self._port, self._keep, self._pause = port, keep, pause
        connection = "keep-alive" if keep else "close"
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: {connection}\r\n"
        ).encode()
        self._prefix = f"bench-{time.time_ns()}-".encode()
        self._poll = select.epoll()
        self._under_way: dict[int, _Sender] = {}
        self._senders = [_Sender(number) for number in range(senders)]
        # by the time at which each is to send again; the number decides between equal times
        self._resting: list[tuple[float, int, _Sender]] = []
        self._latencies: list[float] = []
        self._failures = 0

    def run(self, seconds: float) -> Result:
        """Keep every sender busy for so long; each rests after an answer, for `pause` seconds on average.

        The rests are exponential, as between alerts that know nothing of one another: senders that all rested for the
        same time, and are answered in groups, would soon come in waves.
        """
        started = time.perf_counter()
        for sender in self._senders:
            self._rest(sender)
        while (now := time.perf_counter()) - started < seconds:
            while self._resting and self._resting[0][0] <= now:
                self._send(heapq.heappop(self._resting)[2])
            for handle, _ in self._poll.poll(0.001 if self._pause else 0.1):
                self._receive(self._under_way[handle])
        took = time.perf_counter() - started
        for sender in self._senders:
            if sender.sock is not None:
                sender.sock.close()
        return Result(took, sorted(self._latencies), self._failures)

    def _rest(self, sender: _Sender) -> None:
        rest = random.expovariate(1 / self._pause) if self._pause else 0.0
        heapq.heappush(self._resting, (time.perf_counter() + rest, sender.number, sender))

    def _send(self, sender: _Sender) -> None:
        sender.sent_at = time.perf_counter()
        if sender.sock is None:
            sender.sock = socket.create_connection(("127.0.0.1", self._port))
            sender.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._poll.register(sender.sock.fileno(), select.EPOLLIN)
        body = TEMPLATE.replace(PLACE, self._prefix + str(next(_ids)).encode())
        sender.answer.clear()
        sender.expected = -1
        self._under_way[sender.sock.fileno()] = sender
        sender.sock.sendall(b"%sContent-Length: %d\r\n\r\n%s" % (self._head, len(body), body))

    def _receive(self, sender: _Sender) -> None:
        assert sender.sock is not None
        piece = sender.sock.recv(65536)
        sender.answer += piece
        if sender.expected < 0:
            sender.expected = _length(sender.answer)
        if piece and not 0 <= sender.expected <= len(sender.answer):
            return
        good = sender.answer.startswith(b"HTTP/1.1 200")
        if good:
            self._latencies.append(time.perf_counter() - sender.sent_at)
        else:
            self._failures += 1
        del self._under_way[sender.sock.fileno()]
        if not (self._keep and good):
            self._poll.unregister(sender.sock.fileno())
            sender.sock.close()
            sender.sock = None
        self._rest(sender)


def _length(answer: bytearray) -> int:
    """Bytes of the whole answer once its head is there, else -1."""
    head_end = answer.find(b"\r\n\r\n")
    if head_end < 0:
        return -1
    at = answer.lower().find(b"content-length:")
    return head_end + 4 + int(answer[at + 15 : answer.find(b"\r\n", at)])
