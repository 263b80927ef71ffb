"""The statuses that every endpoint may answer, for the API's description; all but success in the one error shape."""

from typing import Any, Final

from handlers.middleware.access import Role
from handlers.operation_examples import refusal_example

_MEANINGS: Final = {
    400: "The body is not JSON, or not whole.",
    401: "No key, or a wrong one.",
    403: "The key lacks the role, or a switch, an address rule or the missing key's loopback rule refuses.",
    404: "There is no such thing.",
    405: "This address does not take the method; `Allow` names those it takes.",
    408: "The body did not arrive in time.",
    409: "The state of things does not allow it.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "The body is compressed.",
    422: "Understood, but invalid: `details` names each field.",
    429: "Too many wrong keys from this address, or too many requests: `Retry-After` says when to come again.",
    431: "The headers are too large.",
    503: "Nothing could be stored or read now: `Retry-After` says when to come again.",
}
_ALWAYS: Final = (404, 405, 414, 422, 431, 503)
_GUARDED: Final = (401, 403, 409, 429)
_WITH_BODY: Final = (400, 408, 413, 415)

_TEXT: Final = {"type": "string"}
REFUSAL_SHAPE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["success", "ok", "error", "code", "details", "request_id"],
    "properties": {
        "success": {"type": "boolean"},
        "ok": {"type": "boolean"},
        "error": _TEXT,
        "code": _TEXT,
        "details": {
            "type": "array",
            "items": {"type": "object", "properties": {"field": _TEXT, "code": _TEXT, "message": _TEXT}},
        },
        "request_id": _TEXT,
    },
}


def shared() -> dict[str, Any]:
    """The refusals by name, for the description's components: 130 operations refer to them."""
    return {
        _name(status): {
            "description": meaning,
            "content": {"application/json": {"schema": REFUSAL_SHAPE, "example": refusal_example(status)}},
        }
        for status, meaning in _MEANINGS.items()
    }


def responses(role: Role | None, method: str) -> dict[str, Any]:
    """The responses of one operation in the words of OpenAPI."""
    reads = method.lower() in ("get", "head")
    statuses = [*_ALWAYS, *(() if role is Role.PUBLIC else _GUARDED), *(() if reads else _WITH_BODY)]
    found: dict[str, Any] = {"200": {"description": "Done."}}
    if not reads:
        found["201"] = {"description": "Made."}
    return found | {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(statuses)}


def _name(status: int) -> str:
    return f"Refused{status}"
