"""TradersPost's alerts: ticker and action, with the sentiment that is meant to come of it, or exits attached."""

from decimal import Decimal
from typing import Any, Final

from handlers.payloads.fields import Fields, Layer
from handlers.payloads.findings import shown
from handlers.payloads.numeric import AMOUNT, EXACT, read_number
from handlers.payloads.order import AFTER, BEFORE, COMMENTS, IDS, SYMBOLS
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
    read_side,
    read_symbol,
    refuse_placeholders,
    says,
    word,
)
from handlers.payloads.reading import Body, Context, Reading, Version
from handlers.payloads.text import NAME as NAME_LENGTH
from handlers.payloads.text import read_text

NAME: Final = "traderspost"
WORDS: Final = {"buy": "BUY", "sell": "SELL", "exit": "EXIT", "cancel": "CANCEL", "add": "ADD", "reverse": "REVERSE"}
#: Words that no other dialect knows; with buy and sell something else must tell the dialect.
_OWN_WORDS: Final = frozenset(WORDS) - {"buy", "sell"}
_SENTIMENTS: Final = frozenset({"bullish", "bearish", "long", "short", "flat"})
_FIXED: Final = frozenset({"", "fixed_quantity", "fixed", "quantity"})
_ENTRY_SIDES: Final = {"BUY": "long", "SELL": "short"}


def recognises(body: Body) -> bool:
    """True for a ticker with one of TradersPost's actions, and what only TradersPost sends beside buy and sell."""
    if not any(body.get(name) is not None for name in SYMBOLS) or not says(body.get("action"), WORDS):
        return False
    attached = any(body.get(name) is not None for name in ("takeProfit", "stopLoss"))
    return word(body.get("action")) in _OWN_WORDS or attached or says(body.get("sentiment"), _SENTIMENTS)


def read(body: Body, context: Context) -> Reading:
    """One position event. Raises Invalid naming every wrong field."""
    body = opened(body)
    root = Layer(body)
    extras = body.get("extras")
    fields = Fields(root)
    wide = Fields(root, Layer(extras, "extras."), findings=fields.findings) if isinstance(extras, dict) else fields
    refuse_placeholders(body, fields.findings)
    symbol, exchange = read_symbol(wide, *SYMBOLS)
    action, after = _meaning(read_action(fields, WORDS, "action"), read_side(fields, "sentiment"))
    price = read_price(fields, "price", "signalPrice")
    told = Position(
        symbol=symbol,
        exchange=exchange,
        strategy=read_text(wide, NAME_LENGTH, *STRATEGIES),
        interval=read_text(wide, NAME_LENGTH, *INTERVALS),
        action=action,
        quantity=_quantity(fields),
        price=price,
        before=read_holding(wide, *BEFORE),
        after=read_holding(wide, *AFTER) or after,
        stop_loss=_exit_price(fields, "stopLoss", "stopPrice", price, action in ("SHORT", "SELL")),
        take_profit=_exit_price(fields, "takeProfit", "limitPrice", price, action in ("LONG", "BUY")),
        **read_order(wide, IDS, COMMENTS),
    )
    return position_reading(fields, context, body, NAME, told)


def _meaning(action: str | None, sentiment: str | None) -> tuple[str | None, dict[str, Any] | None]:
    """What the action means by the sentiment that is to come of it.

    A buy makes a position long, from wherever it stands; with the sentiment flat or bearish it covers a short
    one, all or some of it. A sell likewise. An exit with a sentiment exits that side alone.
    """
    after = {"market_position": sentiment} if sentiment else None
    if action in _ENTRY_SIDES and sentiment in (None, _ENTRY_SIDES[action]):
        side = _ENTRY_SIDES[action]
        return side.upper(), {"market_position": side}
    if action == "EXIT":
        return {"long": "EXIT_LONG", "short": "EXIT_SHORT"}.get(sentiment or "", "EXIT"), None
    return action, None if action == "CANCEL" else after


def _quantity(fields: Fields) -> Decimal | None:
    """The quantity in contracts or shares; one that is an amount of money or a percentage is not known here."""
    kind = fields.first("quantityType")
    if kind is not None and word(kind.value) not in _FIXED:
        message = f"A quantity by {shown(kind.value)} does not tell contracts or shares, so sizes are not known."
        fields.findings.warn(kind.path, "QUANTITY_NOT_TOLD", message)
        return None
    return read_quantity(fields, "quantity")


def _exit_price(fields: Fields, name: str, absolute: str, price: Decimal | None, above: bool) -> Decimal | None:
    """The price of an attached exit: told, or at its distance from the signal's price (percent, or price units)."""
    sent = fields.first(name)
    if sent is None or not isinstance(sent.value, dict):
        return None
    inside = Fields(Layer(sent.value, f"{sent.path}."), findings=fields.findings)
    told = read_price(inside, absolute)
    percent, amount = read_number(inside, AMOUNT, "percent"), read_number(inside, AMOUNT, "amount")
    if told is not None or price is None:
        return told
    if percent is not None:
        amount = EXACT.divide(EXACT.multiply(price, percent), Decimal(100))
    if not amount:
        return None
    found = EXACT.add(price, amount) if above else EXACT.subtract(price, amount)
    return found if found > 0 else None


VERSION: Final = Version(
    name=NAME,
    style="position",
    recognised_by="ticker and action with sentiment, takeProfit or stopLoss",
    recognises=recognises,
    read=read,
)
