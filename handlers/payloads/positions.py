"""What the dialects of position alerts share: the stream they belong to, and what became of the position."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from handlers.payloads.building import event_key
from handlers.payloads.cleaning import clean_layers
from handlers.payloads.credentials import without_credentials
from handlers.payloads.fields import Fields, Layer, no_text
from handlers.payloads.findings import Findings, shown
from handlers.payloads.numeric import AMOUNT, PRICE, Kind, read_number
from handlers.payloads.reading import Body, Context, Reading
from handlers.payloads.text import FREE_TEXT, NAME, read_text
from handlers.payloads.times import read_moment
from state.event import SignalEvent
from state.newyork import session_at
from state.position import stream_id
from state.vocabulary import BEARISH, BULLISH, POSITION

#: The second in which the alert fired comes before the opening of its bar, which several fills may share.
TIMES: Final = ("event_timestamp", "timenow", "timestamp", "time", "bar_time")
STRATEGIES: Final = ("strategy_name", "strategy")
INTERVALS: Final = ("interval", "timeframe", "resolution")
SIGNED: Final = Kind(
    "a position", Decimal("-1e12"), Decimal("1e12"), "between -1,000,000,000,000 and 1,000,000,000,000"
)

MAX_STREAM_ID: Final = 400
_PLACEHOLDER: Final = re.compile(r"\{\{[^{}]{0,200}\}\}")
_SIDES: Final = {"long": "long", "short": "short", "flat": "flat", "bullish": "long", "bearish": "short"}
_DIRECTIONS: Final = {
    "long": BULLISH,
    "short": BEARISH,
    "BUY": BULLISH,
    "LONG": BULLISH,
    "SELL": BEARISH,
    "SHORT": BEARISH,
}

Holding = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What one alert says of its stream and its position; `action` is one of `state.continuity.ACTIONS`."""

    symbol: str | None
    exchange: str | None
    strategy: str | None
    interval: str | None
    action: str | None
    quantity: Decimal | None = None
    price: Decimal | None = None
    before: Holding | None = None
    after: Holding | None = None
    order_id: str | None = None
    comment: str | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None


def word(value: Any) -> str:
    """A word as dialects compare it: lower case, without blanks around it; "" when it is none."""
    return value.strip().lower() if isinstance(value, str) else ""


def says(value: Any, words: Mapping[str, Any] | frozenset[str]) -> bool:
    """Whether a value is one of the words, or a placeholder that should have become one."""
    return word(value) in words or "{{" in word(value)


def opened(body: Body) -> Body:
    """The body as its sender meant to send it: without credentials."""
    return without_credentials(body)


def refuse_placeholders(body: Body, findings: Findings) -> None:
    """Note every placeholder that TradingView left unreplaced, by its place and its name."""
    for path, text in _texts(body, ""):
        for found in _PLACEHOLDER.findall(text):
            message = f"{found} was not replaced: this alert's kind does not know that placeholder, or it is misspelt."
            findings.wrong(path, "UNREPLACED_PLACEHOLDER", message)


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{index}]")


def read_action(fields: Fields, words: Mapping[str, str], *names: str) -> str | None:
    """What the first of the names that says something says, by the dialect's words. Faults: MISSING, UNKNOWN_ACTION."""
    for path, value in fields.sent(*names):
        if no_text(value):
            continue
        action = words.get(word(value))
        if action is None:
            message = f"{shown(value)} is not an action that we know; known are, in any case: {', '.join(words)}."
            fields.findings.wrong(path, "UNKNOWN_ACTION", message)
        return action
    fields.findings.wrong(fields.path(names[0]), "MISSING", f"An alert must say what was done: send {names[0]}.")
    return None


def read_side(fields: Fields, *names: str) -> str | None:
    """long, short or flat, or None when nothing was sent. Fault: UNKNOWN_POSITION."""
    for path, value in fields.sent(*names):
        if no_text(value):
            continue
        side = _SIDES.get(word(value))
        if side is None:
            fields.findings.wrong(path, "UNKNOWN_POSITION", f"{shown(value)} is not long, short or flat.")
        return side
    return None


def read_holding(
    fields: Fields, sides: tuple[str, ...], sizes: tuple[str, ...], signed: str | None = None
) -> Holding | None:
    """A position as {"market_position", "market_position_size"}, or None when nothing tells it.

    `signed` names a size whose sign tells the side, which counts where no side was sent.
    """
    side = read_side(fields, *sides)
    size = read_number(fields, SIGNED, *sizes)
    told = read_number(fields, SIGNED, signed) if signed else None
    if side is None and told is not None:
        side, size = "flat" if told == 0 else "long" if told > 0 else "short", abs(told)
    if side is None:
        return None
    if size is None and told is not None:
        size = told
    return {"market_position": side, "market_position_size": None if size is None else abs(size)}


def read_symbol(
    fields: Fields, *names: str, exchanges: tuple[str, ...] = ("exchange",)
) -> tuple[str | None, str | None]:
    """Symbol and exchange; an exchange in front of the symbol ("CME_MINI:NQ1!") counts where none was sent."""
    symbol = read_text(fields, NAME, *names)
    exchange = read_text(fields, NAME, *exchanges)
    if symbol is not None and ":" in symbol:
        prefix, _, bare = symbol.partition(":")
        symbol, exchange = bare.strip() or symbol, exchange or prefix.strip() or None
    return symbol.strip() if symbol else symbol, exchange.strip() if exchange else exchange


def read_quantity(fields: Fields, *names: str) -> Decimal | None:
    """Contracts, shares or lots of one fill; 0 is what an alert sends that fills nothing."""
    return read_number(fields, AMOUNT, *names)


def read_price(fields: Fields, *names: str) -> Decimal | None:
    """The price of a fill, in the symbol's own units."""
    return read_number(fields, PRICE, *names)


def read_note(fields: Fields, limit: int, *names: str) -> str | None:
    """An order's name or comment, as sent."""
    return read_text(fields, limit, *names)


def read_order(fields: Fields, ids: tuple[str, ...], comments: tuple[str, ...]) -> dict[str, Any]:
    """The script's names for the order."""
    return {"order_id": read_note(fields, FREE_TEXT, *ids), "comment": read_note(fields, FREE_TEXT, *comments)}


def position_reading(fields: Fields, context: Context, body: Body, version: str, told: Position) -> Reading:
    """The one event of a position alert, its `body` kept as legacy_payload. Raises Invalid naming every fault."""
    findings = fields.findings
    moment = read_moment(fields, context.naive_zone, context.received_at, TIMES)
    stream = stream_id(told.strategy, told.symbol, told.exchange, told.interval)
    if len(stream) > MAX_STREAM_ID:
        findings.wrong(
            "", "TOO_LONG", "Strategy, symbol, exchange and interval are too long together to name a stream."
        )
    kept, kept_text = clean_layers((Layer(body),), findings)
    findings.raise_if_wrong()
    event = SignalEvent(
        trade_id=stream,
        event_type=POSITION,
        payload_version=version,
        event_timestamp=moment.instant,
        event_time_source=moment.source,
        received_at=context.received_at,
        event_key=event_key(kept_text, moment, context),
        body_text=kept_text,
        direction=_direction(told),
        symbol=told.symbol,
        exchange=told.exchange,
        timeframe=told.interval,
        strategy_id=told.strategy,
        strategy_name=told.strategy,
        session=session_at(moment.instant),
        current_price=told.price,
        position_size=told.quantity,
        stop_loss=told.stop_loss,
        targets=None if told.take_profit is None else {"tp1_price": told.take_profit},
        position=_canonical(told, body),
        legacy_payload=kept,
        warnings=tuple(findings.warnings),
    )
    return Reading(version, "position", None, (event,))


def _direction(told: Position) -> str | None:
    if told.after is not None:
        return _DIRECTIONS.get(str(told.after["market_position"]))
    return _DIRECTIONS.get((told.action or "").removeprefix("RENEW_"))


def _canonical(told: Position, body: Body) -> dict[str, Any]:
    names = ("action", "quantity", "price", "before", "after", "order_id", "comment")
    canonical: dict[str, Any] = {name: getattr(told, name) for name in names}
    if body.get("resync") is True or word(body.get("resync")) == "true":
        canonical["resync"] = True
    return {name: value for name, value in canonical.items() if value is not None}
