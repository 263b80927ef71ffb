"""Exact JSON in and out, and one shape for every error."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import structlog
from flask import Flask, Response, request
from flask.json.provider import JSONProvider
from werkzeug.exceptions import HTTPException, MethodNotAllowed, default_exceptions

from errors import AlertbookError, Detail, Unavailable
from handlers.middleware.request_id import current_id
from state import jsontext

log = structlog.get_logger()

_CODES: Final = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "BODY_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "INVALID",
    429: "TOO_MANY_REQUESTS",
}
_SENTENCES: Final = {
    404: "There is nothing at this address.",
    413: "The body is larger than this endpoint takes.",
    422: "The request was understood, but not all of it is valid.",
}


class ExactJson(JSONProvider):
    """Flask's JSON, with Decimal in place of float in both directions."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return jsontext.dump(obj)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return jsontext.parse(s.decode("utf-8-sig") if isinstance(s, bytes) else s)


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer of plain values, Decimal and times."""
    return Response(jsontext.dump(value), status, headers, content_type="application/json")


def refusal(
    status: int, code: str, message: str, details: tuple[Detail, ...] = (), extra: Mapping[str, Any] | None = None
) -> Response:
    """The one shape of an error, with further members where an endpoint promises some."""
    return refusal_with(status, code, message, details=[detail.as_dict() for detail in details], **(extra or {}))


def refusal_with(status: int, code: str, error: str, **more: Any) -> Response:
    """The one shape of an error, with what its contract adds to it."""
    return answer(refused(code, error, current_id(), **more), status)


def refused(code: str, error: str, request_id: str, **more: Any) -> dict[str, Any]:
    """What the one shape of an error holds."""
    shape = {"success": False, "ok": False, "error": error, "code": code, "details": []}
    return {**shape, "request_id": request_id, **more}


def install(app: Flask) -> None:
    """Answer every error in the one shape; an unexpected one is logged and tells nothing."""
    app.json = ExactJson(app)
    app.register_error_handler(AlertbookError, _known)
    app.register_error_handler(HTTPException, _http)
    for code in default_exceptions:
        app.register_error_handler(code, _http)
    app.register_error_handler(Exception, _unexpected)


def _known(error: AlertbookError) -> Response:
    if error.status >= 500:
        # where an Unavailable comes from is known, and writing it out would cost more than the answer when many come
        where = None if type(error) is Unavailable else error
        log.error("request_failed", code=error.code, request_id=current_id(), exc_info=where)
    response = refusal(error.status, error.code, error.message, error.details, error.extra)
    retry_after = error.retry_after or (5 if isinstance(error, Unavailable) else None)
    if retry_after:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status >= 500:
        return _unexpected(error)
    details = tuple(_details((getattr(error, "data", None) or {}).get("messages", {})))
    message = _SENTENCES.get(status) or error.description or error.name
    if details:
        message = "; ".join(f"{detail.field}: {detail.message}" for detail in details)
    response = refusal(status, _CODES.get(status, f"HTTP_{status}"), message, details)
    if isinstance(error, MethodNotAllowed) or status == 405:
        allowed = request.url_rule.methods if request.url_rule else getattr(error, "valid_methods", None)
        response.headers["Allow"] = ", ".join(sorted(allowed or ()))
        allow = response.headers["Allow"]
        response = refusal(405, _CODES[405], f"This address does not take {request.method}; it takes {allow}.")
        response.headers["Allow"] = allow
    return response


def _details(messages: Any, path: str = "") -> Iterator[Detail]:
    """Marshmallow's nested messages as one detail per field; the location (query, json) is left out."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            outer = path == "" and name in ("query", "json", "form", "headers", "json_or_form", "path")
            yield from _details(inner, path if outer else f"{path}.{name}".lstrip("."))
    elif isinstance(messages, list):
        for message in messages:
            yield Detail(path.removesuffix("._schema"), "INVALID", str(message))
    else:
        yield Detail(path, "INVALID", str(messages))


def _unexpected(error: Exception) -> Response:
    log.error("unexpected_error", request_id=current_id(), exc_info=error)
    return refusal(500, "INTERNAL_ERROR", "Something went wrong here; the request id finds it in the log.")
