"""The ingest body for the API's description: one JSON object per line, of one of six kinds."""

from typing import Any, Final

from state.telemetry.records import EQUITY, HEALTH, HEALTH_STATUSES, LATENCY, ORDER, ORDER_STATUSES, OUTCOME, SIGNAL

#: Numbers may come as text, so that every digit survives senders whose numbers are floats.
_NUMBER: Final = {"type": ["number", "string"], "description": "A JSON number, or the same as text."}
_ABOVE: Final = {**_NUMBER, "exclusiveMinimum": 0}
_FROM_ZERO: Final = {**_NUMBER, "minimum": 0}
_SHARE: Final = {**_FROM_ZERO, "maximum": 1}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TIME: Final = {"type": "string", "format": "date-time", "description": "With an offset; not before 2000."}
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 100}
_WORD: Final = {**_NAME, "maxLength": 50}
_METADATA: Final = {"type": "object", "maxProperties": 100}


def _kind(kind: str, needed: dict[str, Any], others: dict[str, Any], summary: str) -> dict[str, Any]:
    always: dict[str, Any] = {"kind": {"const": kind}, "profile_id": _COUNT, "timestamp": _TIME}
    required = [*always, *needed]
    if kind == OUTCOME:  # its time is that of the exit
        required.remove("timestamp")
    return {
        "title": kind,
        "description": summary,
        "type": "object",
        "required": required,
        "properties": always | needed | others,
        "additionalProperties": False,
    }


_SIGNAL: Final = {"symbol": _NAME, "direction": _WORD, "bar_strength": _SHARE, "close_price": _NUMBER}
_PRICES: Final = {"symbol": _NAME, "entry_price": _NUMBER, "exit_price": _NUMBER, "quantity": _ABOVE}
_ACCOUNT: Final = {"account_equity": _NUMBER, "unrealized_pnl": _NUMBER, "realized_pnl": _NUMBER}
_STATUS: Final = {"type": "string", "enum": list(ORDER_STATUSES)}

KINDS: Final = {
    SIGNAL: _kind(
        SIGNAL,
        {**_SIGNAL, "candle_size": _FROM_ZERO, "volume": _FROM_ZERO},
        {"metadata": _METADATA},
        "A breakout was seen.",
    ),
    OUTCOME: _kind(
        OUTCOME,
        {**_PRICES, "entry_time": _TIME, "exit_time": _TIME},
        {
            "bar_strength": _SHARE,
            "direction": _WORD,
            "signal_price": _NUMBER,
            "side": {"type": "string", "enum": ["long", "short"], "default": "long"},
            "multiplier": {**_ABOVE, "default": 1},
            "exit_reason": _NAME,
            "metadata": _METADATA,
        },
        "A trade was closed. side, multiplier and exit_reason may stand in metadata instead.",
    ),
    EQUITY: _kind(
        EQUITY,
        {**_ACCOUNT, "margin_used": _FROM_ZERO, "margin_available": _NUMBER, "open_positions_count": _COUNT},
        {"metadata": _METADATA},
        "The account as it stands, in its currency.",
    ),
    ORDER: _kind(
        ORDER,
        {"symbol": _NAME, "order_type": _WORD, "side": _WORD, "status": _STATUS, "quantity": _FROM_ZERO},
        {
            "order_id": _NAME,
            "limit_price": _NUMBER,
            "filled_price": _NUMBER,
            "filled_quantity": _FROM_ZERO,
            "slippage": _NUMBER,
            "api_latency_ms": _FROM_ZERO,
            "script_name": _NAME,
            "metadata": _METADATA,
        },
        "An order is in a state; records of one order_id are one order. script_name may stand in metadata instead.",
    ),
    LATENCY: _kind(
        LATENCY, {"script_name": _NAME, "latency_ms": _FROM_ZERO}, {}, "A call of the broker's API took so long."
    ),
    HEALTH: _kind(
        HEALTH,
        {"script_name": _NAME, "status": {"type": "string", "enum": list(HEALTH_STATUSES)}},
        {
            "api_latency_avg_ms": _FROM_ZERO,
            "api_rate_limit_remaining": _COUNT,
            "api_rate_limit_limit": _COUNT,
            "error_count": {**_COUNT, "default": 0},
            "warning_count": {**_COUNT, "default": 0},
            "metadata": _METADATA,
        },
        "How a script is.",
    ),
}
_LINE: Final = {
    "description": "One record per line (NDJSON), plain or gzip; each line is one of these.",
    "oneOf": list(KINDS.values()),
}
_EXAMPLE: Final = """\
{"kind": "latency", "profile_id": 1, "timestamp": "2026-01-05T15:00:00Z", "script_name": "monitor", "latency_ms": 12.5}
{"kind": "health", "profile_id": 1, "timestamp": "2026-01-05T15:00:00Z", "script_name": "monitor", "status": "healthy"}
"""
_ANSWER: Final = {
    "type": "object",
    "required": ["accepted", "rejected", "duplicate"],
    "properties": {
        "accepted": _COUNT,
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["line", "error"],
                "properties": {"line": {"type": "integer", "minimum": 1}, "error": {"type": "string"}},
            },
        },
        "duplicate": {"type": "boolean"},
    },
}

#: What flask-smorest adds to the operation.
DESCRIPTION: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "X-Batch-Id",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,100}$"},
            "description": "The batch counts once under this id; without it, the body's digest is the id.",
        }
    ],
    "requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": _LINE, "example": _EXAMPLE}}},
    "responses": {"200": {"description": "Durable.", "content": {"application/json": {"schema": _ANSWER}}}},
}
