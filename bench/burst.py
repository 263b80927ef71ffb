"""Alerts that all arrive at once, each on a connection of its own: ./dev bench burst.

Every sender behaves as TradingView does: it gives up after 3 s, and sends again after 5 s, at most three times, when
it was answered 500 to 599 but not 504. Nothing may be lost: each alert is stored, by its first sending or a later one.
"""

import heapq
import select
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
import psycopg2

from bench import report
from bench.load import PLACE, TEMPLATE
from bench.telemetry import Server
from database import migrate
from database.embedded import EmbeddedPostgres

PATIENCE = 3.0
PAUSE = 5.0
RESENDS = 3


class Burst:
    """So many senders, all starting at the same moment."""

    def __init__(self, port: int, alerts: int) -> None:
        self._port = port
        self._poll = select.epoll()
        self._open: dict[int, tuple[socket.socket, int, float, bytearray]] = {}
        self._due = [(0.0, number) for number in range(alerts)]
        self._sent: Counter[int] = Counter()
        self._prefix = f"burst-{time.time_ns()}-"
        self.answers: Counter[str] = Counter()
        self.latencies: list[float] = []

    def run(self) -> float:
        """Seconds until every alert was answered or given up."""
        began = time.perf_counter()
        while self._due or self._open:
            now = time.perf_counter() - began
            while self._due and self._due[0][0] <= now:
                self._start(heapq.heappop(self._due)[1], now)
            for handle, event in self._poll.poll(0.01):
                self._go_on(handle, event, time.perf_counter() - began)
            for handle in [one for one, (_, _, at, _) in self._open.items() if now - at > PATIENCE]:
                self._end(handle, "given up after 3 s", now)
        return time.perf_counter() - began

    def _start(self, number: int, now: float) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", self._port))
        self._sent[number] += 1
        self._open[sock.fileno()] = (sock, number, now, bytearray())
        self._poll.register(sock.fileno(), select.EPOLLOUT)

    def _go_on(self, handle: int, event: int, now: float) -> None:
        sock, number, began, answer = self._open[handle]
        if event & select.EPOLLOUT and not event & select.EPOLLERR:
            body = TEMPLATE.replace(PLACE, f"{self._prefix}{number}".encode())
            head = f"POST /api/automated-signals/webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
            sock.send(f"{head}\r\nConnection: close\r\n\r\n".encode() + body)
            self._poll.modify(handle, select.EPOLLIN)
            return
        try:
            piece = sock.recv(65536)
        except OSError:
            self._end(handle, "reset", now)
            return
        answer += piece
        if not piece:
            status = bytes(answer[9:12]).decode() or "no answer"
            if status == "200":
                self.latencies.append(now - began)
            self._end(handle, status, now)

    def _end(self, handle: int, what: str, now: float) -> None:
        sock, number, _, _ = self._open.pop(handle)
        self._poll.unregister(handle)
        sock.close()
        self.answers[what] += 1
        if what.startswith("5") and what != "504" and self._sent[number] <= RESENDS:
            heapq.heappush(self._due, (now + PAUSE, number))


def settled(url: str) -> int:
    """How many alerts the database holds once no more come: what was given up may still be stored."""
    count = -1
    while count != (count := stored(url)):
        time.sleep(2)
    return count


def stored(url: str) -> int:
    """How many alerts the database holds."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM automated_signals")
        (count,) = cursor.fetchone() or (0,)
    connection.close()
    return int(count)


@click.command()
@click.option("--alerts", default=5_000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(alerts: int, rounds: int) -> None:
    """Let so many alerts arrive at once, and count what became of them."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        postgres = EmbeddedPostgres(Path(folder))
        url = postgres.start()
        migrate.apply(url)
        server = Server(url)
        server.start()
        try:
            for number in range(rounds):
                before = settled(url)
                burst = Burst(server.port, alerts)
                took = burst.run()
                rows.append(_row(number + 1, alerts, burst, took, settled(url) - before))
        finally:
            server.kill()
            postgres.stop()
    report.publish("burst", rows)
    sys.exit(any(row["stored"] != alerts for row in rows))


def _row(number: int, alerts: int, burst: Burst, took: float, kept: int) -> dict[str, object]:
    ordered = sorted(burst.latencies)
    return {
        "round": number,
        "alerts": alerts,
        "stored": kept,
        "answers": ", ".join(f"{count} x {what}" for what, count in sorted(burst.answers.items())),
        "p50_ms": round(1000 * ordered[len(ordered) // 2]),
        "slowest_ms": round(1000 * ordered[-1]),
        "seconds": round(took, 2),
    }


if __name__ == "__main__":
    main()
