"""3Commas' signal-bot alerts: the instrument or the bot, and an action with the position that came of it."""

from decimal import Decimal
from typing import Final

from handlers.payloads.fields import Fields, Layer
from handlers.payloads.findings import shown
from handlers.payloads.order import AFTER, BEFORE, COMMENTS, IDS
from handlers.payloads.positions import (
    INTERVALS,
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
    word,
)
from handlers.payloads.reading import Body, Context, Reading, Version
from handlers.payloads.text import NAME as NAME_LENGTH
from handlers.payloads.text import read_text

NAME: Final = "threecommas"
WORDS: Final = {
    "buy": "BUY",
    "sell": "SELL",
    "enter_long": "LONG",
    "exit_long": "EXIT_LONG",
    "enter_short": "SHORT",
    "exit_short": "EXIT_SHORT",
}
_UNITS: Final = frozenset({"", "base", "contracts"})


def recognises(body: Body) -> bool:
    """True when an instrument or a bot of 3Commas is named."""
    return body.get("tv_instrument") is not None or body.get("bot_uuid") is not None


def read(body: Body, context: Context) -> Reading:
    """One position event. Raises Invalid naming every wrong field."""
    body = opened(body)
    fields = Fields(Layer(body))
    refuse_placeholders(body, fields.findings)
    info = _inside(fields, "strategy_info")
    symbol, exchange = read_symbol(
        fields, "tv_instrument", "pair", "ticker", "symbol", exchanges=("tv_exchange", "exchange")
    )
    told = Position(
        symbol=symbol,
        exchange=exchange,
        strategy=read_text(fields, NAME_LENGTH, "bot_uuid", "strategy_name"),
        interval=read_text(fields, NAME_LENGTH, *INTERVALS),
        action=read_action(fields, WORDS, "action"),
        quantity=_quantity(_inside(fields, "order")),
        price=read_price(fields, "trigger_price", "price"),
        before=read_holding(info, *BEFORE),
        after=read_holding(info, *AFTER),
        **read_order(fields, IDS, COMMENTS),
    )
    return position_reading(fields, context, body, NAME, told)


def _inside(fields: Fields, name: str) -> Fields:
    """The fields of a nested object, none when it is absent."""
    sent = fields.first(name)
    values = sent.value if sent is not None and isinstance(sent.value, dict) else {}
    return Fields(Layer(values, f"{name}."), findings=fields.findings)


def _quantity(order: Fields) -> Decimal | None:
    """The order's amount in units of the instrument; an amount of money or a percentage is not known here."""
    kind = order.first("currency_type")
    if kind is not None and word(kind.value) not in _UNITS:
        message = f"An amount in {shown(kind.value)} does not tell units of the instrument, so sizes are not known."
        order.findings.warn(kind.path, "QUANTITY_NOT_TOLD", message)
        return None
    return read_quantity(order, "amount")


VERSION: Final = Version(
    name=NAME,
    style="position",
    recognised_by="tv_instrument or bot_uuid with action",
    recognises=recognises,
    read=read,
)
