"""Where batches go. A storage is called by one thread at a time, never by the script's own calls."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import ssl
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

INGEST_PATH = "/api/v1/telemetry/ingest"
#: Refusals after which the same batch may succeed later: the key or the address may be put right, too.
_LATER = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 429})


class Unreachable(Exception):
    """The batch did not arrive, as far as we know: send it again. `retry_after` in seconds, when told."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(Exception):
    """The batch was refused for good."""


@dataclass(frozen=True)
class Receipt:
    """What became of a batch: how many records were taken, which lines were not, whether it had arrived before."""

    accepted: int
    rejected: list[dict[str, Any]] = field(default_factory=list)
    duplicate: bool = False


class Storage(ABC):
    """The base of storages; subclass it to send batches elsewhere."""

    @abstractmethod
    def send(self, batch_id: str, body: bytes, count: int) -> Receipt:
        """Deliver `count` records, one JSON object per line. Raises Unreachable or Refused."""

    def close(self) -> None:  # noqa: B027 - nothing to let go of is the usual case
        """Let go of connections and files."""

    def after_fork(self) -> None:  # noqa: B027 - as above
        """In a child process: forget what belongs to the parent, without touching it."""


class HttpStorage(Storage):
    """Posts gzip'd NDJSON to a server over one connection that is kept.

    `url` is the server's address, with or without the path of its ingest endpoint; `timeout` in seconds bounds every
    wait for the server.
    """

    def __init__(self, url: str, api_key: str | None = None, timeout: float = 5.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url must start with http:// or https:// and name a host")
        path = parts.path.rstrip("/")
        self._path = path if path.endswith("/ingest") else path + INGEST_PATH
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port
        self._timeout = timeout
        self._headers = {
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
            "User-Agent": "alertbook-telemetry-client/0.1",
        }
        if api_key:
            self._headers["X-API-Key"] = api_key
        self._connection: http.client.HTTPConnection | None = None

    def send(self, batch_id: str, body: bytes, count: int) -> Receipt:
        kept = self._connection is not None
        packed = gzip.compress(body, 1, mtime=0)
        try:
            return self._post(batch_id, packed, count)
        except (http.client.RemoteDisconnected, ConnectionError) as error:
            self.close()
            if not kept:
                raise Unreachable(f"{type(error).__name__}: {error}") from None
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise Unreachable(f"{type(error).__name__}: {error}") from None
        # The server may have closed a kept connection between two batches: that is no failure yet.
        try:
            return self._post(batch_id, packed, count)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise Unreachable(f"{type(error).__name__}: {error}") from None

    def _post(self, batch_id: str, packed: bytes, count: int) -> Receipt:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request("POST", self._path, packed, {**self._headers, "X-Batch-Id": batch_id})
        response = self._connection.getresponse()
        text = response.read(4 * 1024 * 1024)
        if response.will_close:
            self.close()
        if response.status == 200:
            return _receipt(text, count)
        told = text[:200].decode("utf-8", "replace")
        message = f"the server answered {response.status}: {told}"
        if 400 <= response.status < 500 and response.status not in _LATER:
            raise Refused(message)
        elsewhere = response.getheader("Location")
        if elsewhere is not None:
            message = f"the server answered {response.status}: give {elsewhere[:200]} as its url"
        raise Unreachable(message, _seconds(response.getheader("Retry-After")))

    def _connect(self) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def after_fork(self) -> None:
        # Closing would be seen by no one but us: the parent's socket stays open in the parent.
        self.close()


def _receipt(text: bytes, count: int) -> Receipt:
    """What a 200 tells; one that is not our server's (a proxy's page) counts as not delivered."""
    try:
        answer = json.loads(text)
        accepted, rejected = answer["accepted"], answer["rejected"]
        receipt = Receipt(int(accepted), list(rejected), bool(answer["duplicate"]))
    except (ValueError, KeyError, TypeError):
        raise Unreachable("the answer is not that of an ingest endpoint") from None
    return receipt


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


class FileStorage(Storage):
    """Appends records to a file, one JSON object per line. The file is opened at the first batch."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._lock = threading.Lock()

    def send(self, batch_id: str, body: bytes, count: int) -> Receipt:
        try:
            with self._lock:
                self._append(body)
        except OSError as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from None
        return Receipt(count)

    def _append(self, body: bytes) -> None:
        """Append all of a batch or nothing, so that a repeat after a full disk does not double its lines."""
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(handle).st_size
            left = memoryview(body)
            try:
                while left:
                    left = left[os.write(handle, left) :]
            except OSError:
                os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)

    def after_fork(self) -> None:
        self._lock = threading.Lock()
