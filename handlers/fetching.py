"""Fetching a page from the public internet, and from nowhere else.

The name is resolved first and every one of its addresses must be public; the connection then goes to one of those very
addresses, so a name that answers differently the second time gains nothing. Redirects are refused, not followed.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from errors import AlertbookError

MAX_BYTES: Final = 1_000_000
SECONDS: Final = 10.0


class CannotFetch(AlertbookError):
    """The page could not, or may not, be fetched."""

    status = 502
    code = "CANNOT_FETCH"


class NotPublic(AlertbookError):
    """The address is none of the public internet's."""

    status = 422
    code = "ADDRESS_NOT_PUBLIC"


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; those that embed another one are judged by that."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _address(host: str, port: int) -> str:
    """One public address of a host. Raises NotPublic when any of its addresses is not."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise CannotFetch("The source's host has no address.") from None
    if not found or not all(is_public(address) for address in found):
        raise NotPublic("The source's address is not on the public internet, so it is not fetched.")
    return min(found)


class _Pinned(http.client.HTTPConnection):
    """A connection to one address; a certificate is checked against the host's name."""

    def __init__(self, host: str, port: int, address: str, secure: bool) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._pinned = address
        self._context = ssl.create_default_context() if secure else None

    def connect(self) -> None:
        plain = socket.create_connection((self._pinned, self.port), self.timeout)
        self.sock = plain if self._context is None else self._context.wrap_socket(plain, server_hostname=self.host)


def fetch(url: str) -> tuple[str, str]:
    """(media type, text) of a public http(s) page of at most 1 MB, within 10 s. Raises CannotFetch or NotPublic."""
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise CannotFetch("The source's address is none.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise CannotFetch("Only plain http and https addresses are fetched.")
    give_up = time.monotonic() + SECONDS
    connection = _Pinned(parts.hostname, port, _address(parts.hostname, port), parts.scheme == "https")
    guard = threading.Timer(max(0.1, give_up - time.monotonic()), _cut, [connection])
    guard.daemon = True
    guard.start()
    try:
        return _read(connection, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), give_up)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CannotFetch(f"The source did not answer ({type(error).__name__}).") from None
    finally:
        guard.cancel()
        connection.close()


def _cut(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _read(connection: http.client.HTTPConnection, path: str, give_up: float) -> tuple[str, str]:
    connection.request("GET", path, headers={"User-Agent": "Alertbook research", "Accept": "text/html, text/*"})
    response = connection.getresponse()
    media = response.headers.get_content_type()
    if response.status != 200:
        raise CannotFetch(f"The source answered {response.status}; redirects are not followed.")
    if not media.startswith("text/") and media not in ("application/json", "application/xhtml+xml"):
        raise CannotFetch(f"The source is {media[:80]}, not text.")
    body = response.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise CannotFetch(f"The source has more than {MAX_BYTES} bytes.")
    if time.monotonic() >= give_up:
        raise CannotFetch("The source took too long.")
    charset = response.headers.get_content_charset() or "utf-8"
    try:
        return media, body.decode(charset, "replace")
    except LookupError:
        return media, body.decode("utf-8", "replace")
