"""An example of every operation for the API's description: real answers over made-up data, kept in a file."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("examples.json")

#: What an error looks like, by status: the code and the sentence.
_ERRORS: Final = {
    "400": ("NOT_JSON", "No JSON payload: the body is empty."),
    "401": ("UNAUTHENTICATED", "Invalid X-API-Key"),
    "403": ("FORBIDDEN", "This needs the admin key in X-Admin-Key."),
    "404": ("NOT_FOUND", "There is nothing at this address."),
    "405": ("METHOD_NOT_ALLOWED", "This address does not take PUT; it takes GET, HEAD, OPTIONS."),
    "408": ("REQUEST_TIMEOUT", "The body did not arrive in time."),
    "409": ("CONFLICT", "This was done already, with other values."),
    "413": ("BODY_TOO_LARGE", "The body has 70000 bytes; at most 65536 are taken."),
    "414": ("MALFORMED_REQUEST", "This is not a request that can be understood: URI Too Long."),
    "415": ("UNSUPPORTED_MEDIA_TYPE", "An alert's body must not be compressed."),
    "422": ("INVALID", "limit: Must be greater than or equal to 1 and less than or equal to 1000."),
    "429": ("TOO_MANY_REQUESTS", "Too many wrong keys from this address; wait a minute."),
    "431": ("MALFORMED_REQUEST", "This is not a request that can be understood: Request Header Fields Too Large."),
    "503": ("DATABASE_UNAVAILABLE", "the database cannot be reached"),
}


@cache
def _recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return found


def refusal_example(status: int) -> dict[str, Any]:
    """What a refusal with this status looks like."""
    return _error(str(status), *_ERRORS[str(status)])


def add_examples(doc: dict[str, Any], endpoint: str, method: str) -> None:
    """Put the recorded request and answer into an operation's description."""
    doc["x-endpoint"] = endpoint
    found = _recorded().get(f"{endpoint} {method}")
    if found is None:
        return
    answer = doc["responses"].setdefault(found["status"], {"description": "Done."})
    answer.setdefault("content", {}).setdefault(found["type"], {})["example"] = found["response"]
    if "request" in found:
        given, content = found["request"], doc.setdefault("requestBody", {"content": {}})["content"]
        kind = "application/json"
        if isinstance(given, str):  # under the type that the operation describes, if it describes one
            kind = next((told for told in content if told != kind), "text/plain")
        content.setdefault(kind, {}).setdefault("example", given)


def _error(status: str, code: str, sentence: str) -> dict[str, Any]:
    field = sentence.partition(":")[0]
    details = [{"field": field, "code": code, "message": sentence.partition(": ")[2]}] if status == "422" else []
    return {
        "success": False,
        "ok": False,
        "error": sentence,
        "code": code,
        "details": details,
        "request_id": "b1946ac92492d2347c6235b4d2611184",
    }
