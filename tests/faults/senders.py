"""Senders that write down what they sent and what they were answered."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SECRET = "canary-3f9c1d77a2e84b60"
PATH = f"/api/automated-signals/webhook/{SECRET}"

#: How TradingView behaves: it waits this long, and comes back this often, this far apart, after a 5xx but 504.
PATIENCE_SECONDS = 3.0
RESENDS = 3
RESEND_SECONDS = 5.0


@dataclass
class Sent:
    """One alert of a journal: all answers it met, in order; a status of 0 is a time-out or a lost connection."""

    id: str
    statuses: list[int] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    retry_after: list[str | None] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        return 200 in self.statuses

    @property
    def seconds_of_answers(self) -> list[float]:
        """How long each answer took that came, whatever it said."""
        return [took for took, status in zip(self.seconds, self.statuses, strict=False) if status]


def alert(alert_id: str) -> bytes:
    """An alert of its own trade that also tells the secret where it does not belong."""
    body = {"type": "ENTRY", "signal_id": alert_id, "entry_price": 20500, "direction": "LONG", "note": f"x {SECRET} y"}
    return json.dumps(body).encode()


def send(url: str, sent: Sent, body: bytes) -> int:
    """Post once, on a connection of its own, as TradingView does."""
    parts = urlsplit(url)
    started = time.monotonic()
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
    status, text, retry_after = 0, "", None
    try:
        connection.request("POST", PATH, body, {"Content-Type": "text/plain; charset=utf-8"})
        answer = connection.getresponse()
        text = answer.read().decode()
        status, retry_after = answer.status, answer.getheader("Retry-After")
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()
    sent.statuses.append(status)
    sent.seconds.append(time.monotonic() - started)
    sent.retry_after.append(retry_after)
    sent.bodies.append(text)
    if status == 200:
        sent.places.append(json.loads(text)["durable"])
    return status


@dataclass
class Senders:
    """`count` senders, each posting one alert after the other; `factor` compresses TradingView's pauses."""

    url: str
    count: int = 8
    factor: float = 10.0
    resends: bool = False
    pause: float = 0.02
    prefix: str = "s"
    journals: list[list[Sent]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["Senders"]:
        """They send until the block ends; then their journals are complete."""
        self.journals = [[] for _ in range(self.count)]
        threads = [threading.Thread(target=self._send, args=(number,)) for number in range(self.count)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    @property
    def sent(self) -> list[Sent]:
        return [sent for journal in self.journals for sent in journal]

    def _send(self, number: int) -> None:
        while not self._stop.is_set():
            sent = Sent(f"{self.prefix}{number}-{len(self.journals[number]):06d}")
            self.journals[number].append(sent)
            self._deliver(sent)
            self._stop.wait(self.pause)

    def _deliver(self, sent: Sent) -> None:
        body = alert(sent.id)
        for _ in range(1 + (RESENDS if self.resends else 0)):
            status = send(self.url, sent, body)
            if not 500 <= status < 600 or status == 504:
                return
            time.sleep(RESEND_SECONDS / self.factor)
