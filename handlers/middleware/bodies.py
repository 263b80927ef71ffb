"""Reading bodies: bounded, whole, and as text that PostgreSQL and JSON can hold."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Flask, request

from errors import Invalid, NotJson, TooLarge
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


def json_object(body: bytes) -> dict[str, Any]:
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
        value = jsontext.parse(text)
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
