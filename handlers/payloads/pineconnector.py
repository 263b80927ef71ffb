"""PineConnector's alerts: a line of text, `ID,command,SYMBOL,key=value,...`, without time and position.

They come here as the object that `pinetext` makes of a line. A pending order (buystop, selllimit, ...) and
what changes one are kept but move nothing: no alert tells whether they are filled.
"""

import re
from decimal import Decimal
from typing import Any, Final

from handlers.payloads import pinetext
from handlers.payloads.fields import Fields, Layer
from handlers.payloads.findings import shown
from handlers.payloads.numeric import AMOUNT, read_number
from handlers.payloads.positions import (
    Position,
    opened,
    position_reading,
    read_note,
    read_price,
    read_symbol,
    refuse_placeholders,
)
from handlers.payloads.reading import Body, Context, Reading, Version
from handlers.payloads.text import FREE_TEXT
from handlers.payloads.text import NAME as NAME_LENGTH

NAME: Final = "pineconnector"

_SIDES: Final = {"buy": "LONG", "long": "LONG", "sell": "SHORT", "short": "SHORT"}
_RENEW: Final = re.compile(r"close(?:long|short|longshort|all|buy|sell)?(?:open)?(buy|sell|long|short)")
_PART: Final = re.compile(r"close(long|short)(?:pct|vol|partial|percent)")
_PENDING: Final = re.compile(r"(?:buy|sell)(?:stop|limit)|cancel[a-z]*|new(?:sltp|sl|tp)[a-z]*")
_CLOSING: Final = {
    "closelong": "EXIT_LONG",
    "closebuy": "EXIT_LONG",
    "closeshort": "EXIT_SHORT",
    "closesell": "EXIT_SHORT",
    "closeall": "EXIT_ALL",
    "closelongshort": "EXIT_ALL",
    "closeshortlong": "EXIT_ALL",
    "exit": "EXIT_ALL",
}


def recognises(body: Body) -> bool:
    """True for the object that a line of text becomes."""
    return isinstance(body.get(pinetext.FIELD), str)


def read(body: Body, context: Context) -> Reading:
    """One position event; without a time of its own, its time is that of its receipt. Raises Invalid."""
    body = opened(body)
    parts = pinetext.pieces(body[pinetext.FIELD])
    fields = Fields(Layer(_values(parts)))
    refuse_placeholders(fields.layers[0].values, fields.findings)
    action, after = _meaning(fields, parts[0].lower() if parts else "")
    symbol, exchange = read_symbol(fields, "symbol")
    if symbol is None:
        fields.findings.wrong("symbol", "MISSING", "A line needs a symbol after its command.")
    price = read_price(fields, "price", "entry")
    told = Position(
        symbol=symbol,
        exchange=exchange,
        strategy=read_note(fields, NAME_LENGTH, "strategy"),
        interval=read_note(fields, NAME_LENGTH, "interval", "timeframe"),
        action=action,
        price=price,
        after=after,
        comment=read_note(fields, FREE_TEXT, "comment"),
        stop_loss=_level(fields, "sl", price),
        take_profit=_level(fields, "tp", price),
    )
    return position_reading(fields, context, body, NAME, told)


def _values(parts: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {"command": parts[0] if parts else None}
    if len(parts) > 1 and pinetext.pair(parts[1]) is None:
        values["symbol"] = parts[1]
    named = dict(found for piece in parts[1:] if (found := pinetext.pair(piece)) is not None)
    return {**named, **values}


def _meaning(fields: Fields, command: str) -> tuple[str | None, dict[str, Any] | None]:
    """The action of a command, and the side that is left where the command tells it. Fault: UNKNOWN_ACTION."""
    if command in _SIDES:
        return _SIDES[command], None
    if command in _CLOSING:
        return _CLOSING[command], None
    if part := _PART.fullmatch(command):
        return ("SELL" if part[1] == "long" else "BUY"), {"market_position": part[1]}
    if renew := _RENEW.fullmatch(command):
        return f"RENEW_{_SIDES[renew[1]]}", None
    if _PENDING.fullmatch(command):
        return "CANCEL", None
    known = ", ".join((*_SIDES, *_CLOSING, "closelongbuy and the like"))
    message = f"{shown(command)} is not a command that we know; known are, in any case: {known}."
    fields.findings.wrong("command", "UNKNOWN_ACTION", message)
    return None, None


def _level(fields: Fields, name: str, price: Decimal | None) -> Decimal | None:
    """A stop or target as a price: the script decides whether it sends prices or distances, so only a value near
    the order's own price is taken for one."""
    told = read_number(fields, AMOUNT, name)
    if not told:
        return None
    if price is None or not price / 2 < told < price * 2:
        message = "Without the order's price beside it this may be a distance, so it was kept but not used as a price."
        fields.findings.warn_once(name, "NOT_A_PRICE", message)
        return None
    return told


VERSION: Final = Version(
    name=NAME,
    style="position",
    recognised_by="a line of text ID,command,SYMBOL,key=value",
    recognises=recognises,
    read=read,
)
