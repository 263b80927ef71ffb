"""One POST to a receiver: bounded in time as a whole, no redirects, nothing read but the status."""

import http.client
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from socket import SHUT_RDWR
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a POST: the status, or why there is none. `retry_after` is seconds, as the receiver wishes.

    `handed_over`: all of it left this machine, so without an answer the receiver may have it or not.
    """

    status: int | None
    error: str = ""
    retry_after: float = 0.0
    handed_over: bool = True

    @property
    def taken(self) -> bool:
        """Whether the receiver has the message."""
        return self.status is not None and 200 <= self.status < 300


def post(url: str, body: str, headers: dict[str, str], *, deadline: float) -> Sent:
    """Send a body and return what became of it within `deadline` seconds; never raises for the receiver's faults."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=deadline, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=deadline)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # a socket's own timeout starts anew with each byte that drips in
    late = threading.Event()
    guard = threading.Timer(deadline, _cut, [connection, late])
    guard.daemon = True
    guard.start()
    handed_over = False
    try:
        connection.request("POST", path, body.encode(), {"Content-Type": "application/json", **headers})
        handed_over = True
        response = connection.getresponse()
        if late.is_set():  # what was cut off may still read as an answer
            return Sent(None, "no answer in time")
        error = "" if 200 <= response.status < 300 else f"answered {response.status}"
        return Sent(response.status, error, _seconds(response.getheader("Retry-After")))
    except (OSError, http.client.HTTPException, ValueError) as fault:
        # never the fault's own text: it may hold the address, which may hold a key
        return Sent(None, f"no answer ({type(fault).__name__})", handed_over=handed_over)
    finally:
        guard.cancel()
        connection.close()


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(SHUT_RDWR)


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 7 else 0.0
