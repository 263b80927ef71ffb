"""A message of every payload version that is read without a fault, as it stands in TradingView's alert dialog or in a
Pine script. The workbench offers them."""

from dataclasses import dataclass
from typing import Final

PINE: Final = "pine"
MESSAGE: Final = "message"


@dataclass(frozen=True, slots=True)
class Message:
    """A text, the payload version that reads it, and what it is for; `language` is PINE or MESSAGE."""

    version: str
    name: str
    purpose: str
    text: str
    language: str = MESSAGE


MESSAGES: Final = (
    Message(
        "telemetry_v1",
        "An entry, from a Pine script",
        "Build the message in the script, so that every number is the script's own.",
        """//@version=6
strategy("My strategy", overlay = true)
risk = ta.atr(14)
tradeId = syminfo.ticker + "_" + str.tostring(time, "#")
if ta.crossover(ta.sma(close, 20), ta.sma(close, 50))
    stop = close - risk
    alert('{"schema_version": "1.0.0", "event_type": "ENTRY", "trade_id": "' + tradeId +
      '", "event_timestamp": "' + str.format_time(timenow, "yyyy-MM-dd'T'HH:mm:ssZ", "UTC") +
      '", "symbol": "' + syminfo.ticker + '", "timeframe": "' + timeframe.period +
      '", "direction": "LONG", "entry_price": ' + str.tostring(close) +
      ', "stop_loss": ' + str.tostring(stop) +
      ', "targets": {"tp1_price": ' + str.tostring(close + risk) + ', "tp2_price": ' +
      str.tostring(close + 2 * risk) + '}}', alert.freq_once_per_bar_close)""",
        PINE,
    ),
    Message(
        "telemetry_v1",
        "An MFE update",
        "Send it on each bar while the trade runs; the trade_id is the entry's.",
        """{
  "schema_version": "1.0.0",
  "trade_id": "MNQ_20261120_143000",
  "event_type": "MFE_UPDATE",
  "event_timestamp": "2026-11-20T15:05:00Z",
  "current_price": 20540.25,
  "be_mfe": 1.6,
  "no_be_mfe": 1.6
}""",
    ),
    Message(
        "telemetry_v1",
        "An exit",
        "The first final exit ends the trade.",
        """{
  "schema_version": "1.0.0",
  "trade_id": "MNQ_20261120_143000",
  "event_type": "EXIT_TAKE_PROFIT",
  "event_timestamp": "2026-11-20T16:10:00Z",
  "exit_price": 20575.25,
  "final_mfe": 3.0
}""",
    ),
    Message(
        "telemetry_wrapped",
        "An update in an envelope",
        "The same fields in attributes, for senders that wrap them.",
        """{
  "attributes": {
    "schema_version": "1.0.0",
    "trade_id": "MNQ_20261120_143000",
    "event_type": "MFE_UPDATE",
    "event_timestamp": "{{timenow}}",
    "mfe_R": 0.5
  },
  "message": ""
}""",
    ),
    Message(
        "batch",
        "Many updates in one alert, from a Pine script",
        "For charts that follow many trades: one alert where there would be too many. ids and mfes are the script's.",
        """items = array.new_string()
for [place, id] in ids
    array.push(items, '{"trade_id": "' + id + '", "be_mfe": ' + str.tostring(array.get(mfes, place)) + '}')
alert('{"event_type": "MFE_UPDATE_BATCH", "symbol": "' + syminfo.ticker + '", "timestamp": ' +
  str.tostring(timenow, "#") + ', "signals": [' + array.join(items, ", ") + ']}', alert.freq_once_per_bar_close)""",
        PINE,
    ),
    Message(
        "batch",
        "Many updates in one alert",
        "Each item names its trade; what stands beside signals holds for all.",
        """{
  "event_type": "MFE_UPDATE_BATCH",
  "symbol": "{{ticker}}",
  "timestamp": "{{timenow}}",
  "signals": [
    {"trade_id": "MNQ_20261120_143000", "be_mfe": 0.5, "no_be_mfe": 0.75},
    {"trade_id": "MNQ_20261120_150500", "be_mfe": 0.1, "no_be_mfe": 0.1}
  ]
}""",
    ),
    Message(
        "strategy",
        "An entry of the older strategy",
        "The event in type, the trade in signal_id; kept for scripts that send it.",
        """{
  "type": "ENTRY",
  "signal_id": "{{ticker}}_{{time}}",
  "timestamp": "{{timenow}}",
  "symbol": "{{ticker}}",
  "bias": "Bullish",
  "entry_price": {{close}},
  "sl_price": {{plot("Stop")}}
}""",
    ),
    Message(
        "indicator",
        "An entry of the older indicator",
        "The event in automation_stage; kept for scripts that send it.",
        """{
  "automation_stage": "TRADE_ACTIVATED",
  "trade_id": "{{ticker}}_{{time}}",
  "timestamp": "{{timenow}}",
  "symbol": "{{ticker}}",
  "trade_type": "LONG",
  "actual_entry_price": {{close}},
  "stop_loss_price": {{plot("Stop")}}
}""",
    ),
    Message(
        "direct",
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
    ),
    Message(
        "pineconnector",
        "A PineConnector line",
        "As it is sent there; the price lets the result be known.",
        "60123456789,buy,{{ticker}},risk=1,price={{close}}",
    ),
    Message(
        "threecommas",
        "A 3Commas signal",
        "As it is sent there; strategy_info makes gaps visible.",
        """{
  "tv_instrument": "{{ticker}}",
  "tv_exchange": "{{exchange}}",
  "action": "enter_long",
  "bot_uuid": "0f9c7d1e-bot",
  "trigger_price": "{{close}}",
  "timestamp": "{{timenow}}",
  "max_lag": "300",
  "strategy_info": {
    "market_position": "{{strategy.market_position}}",
    "market_position_size": "{{strategy.market_position_size}}",
    "prev_market_position": "{{strategy.prev_market_position}}",
    "prev_market_position_size": "{{strategy.prev_market_position_size}}"
  },
  "order": {"amount": "{{strategy.order.contracts}}", "currency_type": "base"}
}""",
    ),
    Message(
        "order_nested",
        "An order with its bar",
        "The strategy's values in an object of their own.",
        """{
  "time": "{{timenow}}",
  "exchange": "{{exchange}}",
  "ticker": "{{ticker}}",
  "interval": "{{interval}}",
  "bar": {"time": "{{time}}", "open": {{open}}, "high": {{high}}, "low": {{low}}, "close": {{close}}},
  "strategy": {
    "order_action": "{{strategy.order.action}}",
    "order_contracts": {{strategy.order.contracts}},
    "order_price": {{strategy.order.price}},
    "order_id": "{{strategy.order.id}}",
    "market_position": "{{strategy.market_position}}",
    "market_position_size": {{strategy.market_position_size}},
    "prev_market_position": "{{strategy.prev_market_position}}",
    "prev_market_position_size": {{strategy.prev_market_position_size}}
  }
}""",
    ),
    Message(
        "traderspost",
        "A TradersPost signal",
        "As it is sent there; extras makes gaps visible.",
        """{
  "ticker": "{{ticker}}",
  "action": "{{strategy.order.action}}",
  "sentiment": "bullish",
  "quantity": "{{strategy.order.contracts}}",
  "price": "{{close}}",
  "time": "{{timenow}}",
  "extras": {
    "market_position": "{{strategy.market_position}}",
    "market_position_size": "{{strategy.market_position_size}}",
    "prev_market_position": "{{strategy.prev_market_position}}",
    "prev_market_position_size": "{{strategy.prev_market_position_size}}"
  }
}""",
    ),
    Message(
        "order",
        "Any strategy's order fills",
        "Paste it into the message of a strategy's alert: it tells everything that TradingView knows.",
        """{
  "ticker": "{{ticker}}",
  "exchange": "{{exchange}}",
  "interval": "{{interval}}",
  "strategy_name": "my strategy",
  "action": "{{strategy.order.action}}",
  "contracts": "{{strategy.order.contracts}}",
  "price": "{{strategy.order.price}}",
  "order_id": "{{strategy.order.id}}",
  "comment": "{{strategy.order.comment}}",
  "market_position": "{{strategy.market_position}}",
  "market_position_size": "{{strategy.market_position_size}}",
  "prev_market_position": "{{strategy.prev_market_position}}",
  "prev_market_position_size": "{{strategy.prev_market_position_size}}",
  "time": "{{time}}",
  "timenow": "{{timenow}}"
}""",
    ),
)


def messages_of(version: str | None) -> list[Message]:
    """The messages of one version."""
    return [message for message in MESSAGES if message.version == version]
