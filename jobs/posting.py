"""Posting a body to a server until it answers: retries with growing pauses, never after a refusal."""

import hashlib
import hmac
import http.client
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

ATTEMPTS: Final = 4
TIMEOUT_SECONDS: Final = 30.0
LONGEST_PAUSE: Final = 30.0
#: Refusals that pass by themselves: not worth another try here, but no fault of what was sent.
_PASSING: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Reply:
    """The last answer: its status, 0 when there was none, and its text or the reason."""

    status: int
    text: str
    attempts: int

    @property
    def taken(self) -> bool:
        """The server took it."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """The server understood and said no; sending the same again cannot help."""
        return 300 <= self.status < 500 and self.status not in _PASSING

    @property
    def final(self) -> bool:
        """Any answer but a failure of the server's own is the last one."""
        return 0 < self.status < 500


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: keys must not travel to another address."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def signature(body: bytes, secret: str) -> str:
    """The hex HMAC-SHA256 of a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    pause: Callable[[float], None] = time.sleep,
    told: Callable[[Reply], None] = lambda reply: None,
) -> Reply:
    """The server's answer to a POST: at most four attempts, with pauses of about 1, 2 and 4 s or as it asks.

    `told` hears of each attempt. Raises nothing: an address that cannot be reached is a Reply with status 0.
    """
    for attempt in range(1, ATTEMPTS + 1):
        reply, asked = _once(url, body, headers, attempt)
        told(reply)
        if reply.final or attempt == ATTEMPTS:
            break
        pause(min(LONGEST_PAUSE, max(asked, 2.0 ** (attempt - 1) * random.uniform(0.8, 1.2))))
    return reply


def _once(url: str, body: bytes, headers: Mapping[str, str], attempt: int) -> tuple[Reply, float]:
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            return Reply(response.status, _text(response.read()), attempt), 0.0
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, _text(_rest(error)), attempt), _seconds(error.headers.get("Retry-After"))
    except (OSError, http.client.HTTPException) as error:
        return Reply(0, str(error) or type(error).__name__, attempt), 0.0


def _rest(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read()
    except (OSError, http.client.HTTPException):
        return b""


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdigit() else 0.0
