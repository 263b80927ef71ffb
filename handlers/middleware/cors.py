"""Pages of other origins may read what is marked for them: never with credentials, only from configured origins.

An origin is exact (https://desk.example) or has one wildcard in place of its first label (https://*.vercel.app),
which stands for exactly one label.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from flask import Flask, Response, current_app, request

from handlers.services import services

View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE: Final = "alertbook_from_other_origins"
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_METHODS: Final = "GET, HEAD, OPTIONS"
_REQUEST_HEADERS: Final = "X-API-Key, X-Request-Id, Content-Type"
_ANSWER_HEADERS: Final = "X-Next-Cursor, X-Request-Id, Retry-After"
_PREFLIGHT_SECONDS: Final = "600"


def from_other_origins(view: View) -> View:
    """Mark a GET view as readable by pages of the configured origins."""
    setattr(view, _ATTRIBUTE, True)
    return view


def allows(origin: str, allowed: Iterable[str]) -> bool:
    """Whether an Origin header's value is one of the allowed ones."""
    return any(_matches(origin, pattern) for pattern in allowed)


def _matches(origin: str, pattern: str) -> bool:
    scheme, wildcard, rest = pattern.partition("://*.")
    if not wildcard:
        return origin == pattern
    start, end = f"{scheme}://", f".{rest}"
    if not (origin.startswith(start) and origin.endswith(end)):
        return False
    return _LABEL.fullmatch(origin[len(start) : len(origin) - len(end)]) is not None


def install(app: Flask) -> None:
    """Answer preflights before anything asks for a key, which a browser does not send with them."""

    @app.before_request
    def answer_preflight() -> Response | None:
        if request.method != "OPTIONS" or not _is_marked():
            return None
        if "Access-Control-Request-Method" not in request.headers:
            return None
        return Response(status=204)

    @app.after_request
    def add_headers(response: Response) -> Response:
        if not _is_marked():
            return response
        response.headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin is not None and allows(origin, services().settings.cors_origins):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = _METHODS
                response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
                response.headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
        return response


def _is_marked() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, _ATTRIBUTE, False))
