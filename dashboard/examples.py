"""Alert messages that are read without a fault, as they stand in TradingView's alert dialog or in a Pine script."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from state import jsontext
from state.event import SignalEvent

#: (name, what it is for, the text, its language)
EXAMPLES: Final[tuple[tuple[str, str, str, str], ...]] = (
    (
        "An entry, from a Pine script",
        "Build the message in the script, so that every number is the script's own.",
        """//@version=6
strategy("My strategy", overlay = true)
risk = ta.atr(14)
tradeId = syminfo.ticker + "_" + str.tostring(time)
if ta.crossover(ta.sma(close, 20), ta.sma(close, 50))
    stop = close - risk
    alert('{"schema_version": "1.0.0", "event_type": "ENTRY", "trade_id": "' + tradeId +
      '", "event_timestamp": "' + str.format_time(timenow, "yyyy-MM-dd'T'HH:mm:ssZ", "UTC") +
      '", "symbol": "' + syminfo.ticker + '", "timeframe": "' + timeframe.period +
      '", "direction": "LONG", "entry_price": ' + str.tostring(close) +
      ', "stop_loss": ' + str.tostring(stop) +
      ', "targets": {"tp1_price": ' + str.tostring(close + risk) + ', "tp2_price": ' +
      str.tostring(close + 2 * risk) + '}}', alert.freq_once_per_bar_close)""",
        "pine",
    ),
    (
        "An entry, as an alert message",
        "Paste it into the alert's message; TradingView fills in what stands in braces.",
        """{
  "trade_id": "{{ticker}}_{{time}}",
  "event_type": "ENTRY",
  "direction": "LONG",
  "symbol": "{{ticker}}",
  "timeframe": "{{interval}}",
  "timestamp": "{{timenow}}",
  "entry_price": {{close}},
  "stop_loss": {{plot("Stop")}}
}""",
        "message",
    ),
    (
        "An MFE update",
        "Send it on each bar while the trade runs; the trade_id is the entry's.",
        """{
  "trade_id": "MNQ_20261120_143000",
  "event_type": "MFE_UPDATE",
  "timestamp": "2026-11-20T15:05:00Z",
  "current_price": 20540.25,
  "be_mfe": 1.6,
  "no_be_mfe": 1.6
}""",
        "message",
    ),
    (
        "An exit",
        "The first final exit ends the trade.",
        """{
  "trade_id": "MNQ_20261120_143000",
  "event_type": "EXIT_TAKE_PROFIT",
  "timestamp": "2026-11-20T16:10:00Z",
  "exit_price": 20575.25,
  "final_mfe": 3.0
}""",
        "message",
    ),
)

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
