"""Order alerts of a strategy, flat: ticker, action, and what the strategy's placeholders say of the position."""

from typing import Final

from handlers.payloads.fields import Fields, Layer
from handlers.payloads.positions import (
    INTERVALS,
    STRATEGIES,
    Position,
    opened,
    position_reading,
    read_action,
    read_holding,
    read_order,
    read_price,
    read_quantity,
    read_symbol,
    refuse_placeholders,
    says,
)
from handlers.payloads.reading import Body, Context, Reading, Version
from handlers.payloads.text import NAME as NAME_LENGTH
from handlers.payloads.text import read_text

NAME: Final = "order"
SYMBOLS: Final = ("ticker", "symbol")
ACTIONS: Final = ("action", "order_action", "side")
WORDS: Final = {"buy": "BUY", "sell": "SELL"}
QUANTITIES: Final = ("contracts", "quantity", "qty", "order_contracts")
PRICES: Final = ("price", "order_price", "close")
IDS: Final = ("order_id", "id")
COMMENTS: Final = ("comment", "order_comment")
AFTER: Final = (("market_position", "mar_pos"), ("market_position_size", "mar_pos_size"))
BEFORE: Final = (("prev_market_position", "pre_mar_pos"), ("prev_market_position_size", "pre_mar_pos_size"))


def recognises(body: Body) -> bool:
    """True for a ticker or symbol with an action buy or sell (or the placeholder that should have become one)."""
    if isinstance(body.get("strategy"), dict):
        return False
    return any(body.get(name) is not None for name in SYMBOLS) and any(says(body.get(name), _KNOWN) for name in ACTIONS)


_KNOWN: Final = frozenset(WORDS)


def read(body: Body, context: Context) -> Reading:
    """One position event. Raises Invalid naming every wrong field."""
    body = opened(body)
    fields = Fields(Layer(body))
    refuse_placeholders(body, fields.findings)
    return position_reading(fields, context, body, NAME, read_order_fields(fields, STRATEGIES))


def read_order_fields(fields: Fields, strategies: tuple[str, ...]) -> Position:
    """What the placeholders of an order say, wherever they stand."""
    symbol, exchange = read_symbol(fields, *SYMBOLS)
    return Position(
        symbol=symbol,
        exchange=exchange,
        strategy=read_text(fields, NAME_LENGTH, *strategies),
        interval=read_text(fields, NAME_LENGTH, *INTERVALS),
        action=read_action(fields, WORDS, *ACTIONS),
        quantity=read_quantity(fields, *QUANTITIES),
        price=read_price(fields, *PRICES),
        before=read_holding(fields, *BEFORE),
        after=read_holding(fields, *AFTER, signed="position_size"),
        **read_order(fields, IDS, COMMENTS),
    )


VERSION: Final = Version(
    name=NAME,
    style="position",
    recognised_by="ticker (or symbol) with action buy or sell",
    recognises=recognises,
    read=read,
)
