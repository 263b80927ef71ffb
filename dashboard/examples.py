"""What the workbench does with messages: fills their placeholders, and writes one that says what an event says."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from state import jsontext
from state.event import SignalEvent

_PLACEHOLDER: Final = re.compile(rb"\{\{\s*([^{}]{1,80}?)\s*\}\}")
#: What the workbench puts in place of TradingView's placeholders; any other becomes a number.
_SAMPLES: Final = {
    "ticker": "MNQ1!",
    "exchange": "CME_MINI",
    "interval": "5",
    "syminfo.currency": "USD",
    "syminfo.basecurrency": "USD",
    "strategy.order.action": "buy",
    "strategy.order.id": "Long",
    "strategy.order.comment": "entry",
    "strategy.order.alert_message": "entry",
    "strategy.market_position": "long",
    "strategy.prev_market_position": "flat",
    "strategy.market_position_size": "1",
    "strategy.prev_market_position_size": "0",
    "strategy.order.contracts": "1",
    "strategy.position_size": "1",
    'plot("Stop")': "20475",
}
_TOLD: Final = (
    "symbol",
    "exchange",
    "timeframe",
    "strategy_id",
    "strategy_name",
    "direction",
    "entry_price",
    "stop_loss",
    "current_price",
    "exit_price",
    "exit_reason",
    "mfe",
    "be_mfe",
    "no_be_mfe",
    "mae",
    "final_mfe",
    "position_size",
    "targets",
)


def fill_placeholders(raw: bytes, now: datetime) -> tuple[bytes, list[str]]:
    """The message with sample values in place of its placeholders, and the names that were filled."""
    filled: dict[str, str] = {}
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def value(found: re.Match[bytes]) -> bytes:
        name = found[1].decode("utf-8", "replace")
        filled[name] = at if name in ("time", "timenow") else _SAMPLES.get(name, "20500.25")
        return filled[name].encode()

    return _PLACEHOLDER.sub(value, raw), list(filled)


def message_of(event: SignalEvent) -> dict[str, Any]:
    """A message of the current schema that says what the event says."""
    told = {name: getattr(event, name) for name in _TOLD if getattr(event, name) is not None}
    return {
        "schema_version": "1.0.0",
        "trade_id": event.trade_id,
        "event_type": event.event_type,
        "event_timestamp": event.event_timestamp.isoformat(),
        **told,
    }


def pine_of(message: dict[str, Any]) -> str:
    """A Pine call that sends such a message, the bar's own values in place of times, tickers and prices."""
    own = {
        "event_timestamp": 'str.format_time(timenow, "yyyy-MM-dd\'T\'HH:mm:ssZ", "UTC")',
        "symbol": "syminfo.ticker",
        "exchange": "syminfo.prefix",
        "timeframe": "timeframe.period",
    }
    numbers = {"entry_price": "close", "current_price": "close", "exit_price": "close", "stop_loss": "stop"}
    parts = []
    for name, value in message.items():
        if name in own:
            parts.append(f"'\"{name}\": \"' + {own[name]} + '\"'")
        elif name == "trade_id":
            parts.append("'\"trade_id\": \"' + tradeId + '\"'")
        elif name in numbers:
            parts.append(f"'\"{name}\": ' + str.tostring({numbers[name]})")
        else:
            text = jsontext.dump(value).replace("\\", "\\\\").replace("'", "\\'")
            parts.append(f"'\"{name}\": {text}'")
    joined = " + ', ' +\n  ".join(parts)
    return f"alert('{{' +\n  {joined} +\n  '}}', alert.freq_once_per_bar_close)"
