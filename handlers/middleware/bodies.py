"""Reading bodies: bounded, whole, and as text that PostgreSQL and JSON can hold."""

import socket
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from flask import Flask, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import get_content_length, get_input_stream

from database.driver import DeadlineExceeded, deadline
from errors import Detail, Invalid, NotJson, TimedOut, TooLarge, UnsupportedMedia
from handlers.payloads import pinetext
from state import jsontext

BODY_LIMIT: Final = 64 * 1024
IDLE_SECONDS: Final = 5.0


def install(app: Flask) -> None:
    """Bound every body, and refuse addresses that hold a NUL, which no text column can."""
    app.config["MAX_CONTENT_LENGTH"] = None

    @app.before_request
    def refuse_nul() -> None:
        query = "%00" in request.environ.get("QUERY_STRING", "") or "\x00" in request.environ.get("QUERY_STRING", "")
        if "\x00" in request.environ["PATH_INFO"] or query:
            raise Invalid("The address holds a NUL character.", code="NUL_IN_ADDRESS")


def read_body(limit: int = BODY_LIMIT) -> bytes:
    """The whole body of the request being handled: see `body_of`."""
    return body_of(request.environ, limit)


def body_of(environ: dict[str, Any], limit: int = BODY_LIMIT, *, seconds: float | None = None) -> bytes:
    """The whole body, as it was sent.

    It must go on arriving: without a byte for IDLE_SECONDS, or, where `seconds` is given, not whole after that
    time, it is TimedOut (408). TooLarge (413) when it is longer than `limit` bytes, chunked ones too; NotJson (400)
    when it ends before its announced end or is chunked wrongly.
    """
    declared = get_content_length(environ)
    if declared is not None and declared > limit:
        raise TooLarge(f"The body has {declared} bytes; at most {limit} are taken.")
    with _arriving(environ, IDLE_SECONDS), _whole_bound(seconds):
        body = get_input_stream(environ).read(limit + 1)
    if len(body) > limit:
        raise TooLarge(f"The body has more than the {limit} bytes that are taken.")
    if declared is not None and len(body) < declared:
        raise _cut_off()
    return body


class Arriving:
    """The body of the request being handled, of any length, read while it arrives.

    `read` raises TimedOut (408) after `idle` seconds without a byte, and NotJson (400) where the body ends before its
    announced end or is chunked wrongly: what came last is never taken for a whole.
    """

    def __init__(self, idle: float) -> None:
        self._environ, self._idle = request.environ, idle
        self._stream = get_input_stream(self._environ)
        self._missing = get_content_length(self._environ) or 0

    def read(self, size: int = -1, /) -> bytes:
        with _arriving(self._environ, self._idle):
            piece = self._stream.read(size)
        self._missing -= len(piece)
        if not piece and self._missing > 0:
            raise _cut_off()
        return piece


def _cut_off() -> NotJson:
    return NotJson("No JSON payload: the body ended before its announced end.", code="INCOMPLETE_BODY")


@contextmanager
def _arriving(environ: dict[str, Any], idle: float) -> Iterator[None]:
    """Around reading a body: what goes wrong there is the sender's."""
    try:
        with _idle_bound(environ, idle):
            yield
    except TimeoutError:
        raise TimedOut("The body did not arrive in time.") from None
    except ParseException:
        raise NotJson("No JSON payload: the body's chunks are malformed.", code="MALFORMED_CHUNKS") from None
    except (OSError, ClientDisconnected):
        raise _cut_off() from None


@contextmanager
def _idle_bound(environ: dict[str, Any], idle: float) -> Iterator[None]:
    """No single wait for bytes lasts longer than `idle` seconds, where the server lends us its socket."""
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    before = connection.gettimeout()
    connection.settimeout(idle)
    try:
        yield
    finally:
        connection.settimeout(before)


@contextmanager
def _whole_bound(seconds: float | None) -> Iterator[None]:
    """The block ends after `seconds` with TimeoutError, where gevent runs."""
    try:
        with deadline(seconds):
            yield
    except DeadlineExceeded:
        raise TimeoutError from None


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before its Content-Encoding, gzip or none; never more than `limit` bytes are unpacked.

    Raises UnsupportedMedia (415), TooLarge (413), or NotJson (400) when the bytes are no gzip.
    """
    if encoding.strip().lower() in ("", "identity"):
        return body
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        raise UnsupportedMedia("The body's Content-Encoding must be gzip, or there must be none.")
    pieces: list[bytes] = []
    size = 0
    try:
        while body:
            member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            pieces.append(member.decompress(body, limit + 1 - size))
            size += len(pieces[-1])
            if size > limit:
                raise TooLarge(f"The body unpacks to more than the {limit} bytes that are taken.")
            if not member.eof:
                raise NotJson("The gzip body ends too soon.", code="NOT_GZIP")
            body = member.unused_data
    except zlib.error:
        raise NotJson("The body is not gzip, though its Content-Encoding says so.", code="NOT_GZIP") from None
    return b"".join(pieces)


def json_object(
    body: bytes, *, max_depth: int = jsontext.MAX_DEPTH, max_keys: int = jsontext.MAX_KEYS
) -> dict[str, Any]:
    """The JSON object in a body, whatever its Content-Type says.

    UTF-8 with or without a byte order mark. Raises NotJson (400), or Invalid (422) when the JSON goes past a limit.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotJson("No JSON payload: the body is not UTF-8 text.") from None
    if not text.strip():
        raise NotJson("No JSON payload: the body is empty.")
    try:
        value = jsontext.parse(text, max_depth=max_depth, max_keys=max_keys)
    except jsontext.JsonTextError as error:
        if error.kind == "limit":
            raise _past_limit(error) from None
        raise NotJson(f"No JSON payload: {error}.") from None
    if not isinstance(value, Mapping):
        raise NotJson(f"No JSON payload: an object is needed, this is {_kind(value)}.")
    return dict(value)


def _past_limit(error: jsontext.JsonTextError) -> Invalid:
    field = error.field if len(error.field) <= 100 else ""  # half a name could hold half a secret
    details = [Detail(field, "JSON_LIMIT", str(error))] if field else []
    where = f"{field}: " if field else ""
    return Invalid(f"The JSON payload is not acceptable: {where}{error}.", code="JSON_LIMIT", details=details)


def alert_object(body: bytes) -> dict[str, Any]:
    """The object of an alert: a JSON object, or a dialect's line of text as the object that stands for it.

    Raises NotJson (400), or Invalid (422) when the JSON goes past a limit.
    """
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        line = pinetext.as_object(body.decode("utf-8-sig", "replace"))
        if line is not None:
            return line
    return json_object(body)


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
