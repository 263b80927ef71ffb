"""Reading bodies: bounded, whole, and as text that PostgreSQL and JSON can hold."""

import zlib
from collections.abc import Mapping
from typing import Any, Final

from flask import Flask, request

from errors import Invalid, NotJson, TooLarge, UnsupportedMedia
from state import jsontext

BODY_LIMIT: Final = 64 * 1024


def install(app: Flask) -> None:
    """Bound every body, and refuse addresses that hold a NUL, which no text column can."""
    app.config["MAX_CONTENT_LENGTH"] = None

    @app.before_request
    def refuse_nul() -> None:
        if "\x00" in request.path or any("\x00" in value for value in request.args.values()):
            raise Invalid("The address holds a NUL character.", code="NUL_IN_ADDRESS")


def read_body(limit: int = BODY_LIMIT) -> bytes:
    """The whole body. Raises TooLarge when it is longer than `limit` bytes, chunked ones too."""
    declared = request.content_length
    if declared is not None and declared > limit:
        raise TooLarge(f"The body has {declared} bytes; at most {limit} are taken.")
    pieces: list[bytes] = []
    size = 0
    while piece := request.stream.read(limit + 1 - size):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise TooLarge(f"The body has more than the {limit} bytes that are taken.")
    return b"".join(pieces)


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
                raise NotJson("No JSON payload: the gzip body ends too soon.")
            body = member.unused_data
    except zlib.error:
        raise NotJson("No JSON payload: the body is not gzip, as its Content-Encoding says.") from None
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
            raise Invalid(f"The JSON payload is not acceptable: {error}.", code="JSON_LIMIT") from None
        raise NotJson(f"No JSON payload: {error}.") from None
    if not isinstance(value, Mapping):
        raise NotJson(f"No JSON payload: an object is needed, this is {_kind(value)}.")
    return dict(value)


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
