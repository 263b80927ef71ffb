"""Trades out of position alerts: what a position became, alert by alert, cut where it was flat.

A position alert does not say which trade it belongs to. Its events belong to a stream (strategy or bot,
symbol, exchange, interval); the trades are derived here from the *set* of a stream's events: a trade opens
when the position leaves flat, grows by adds, shrinks by partial exits, closes at flat, and a reversal closes
one and opens the next. Alerts of one instant are put in the order in which each one's earlier position is
the one that the alert before it left behind. How a break is noticed is told in `state.continuity`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import unquote

from state.continuity import FLAT, OPEN, Gap, Holding, Instant, Step, Walk, instants, step_of
from state.event import SignalEvent
from state.fills import Fills, exact
from state.lifecycle import ACTIVE, COMPLETED
from state.newyork import session_at
from state.r_multiple import EXACT, RATIO, risk_of
from state.trade import Trade, fold
from state.values import price, text, utc
from state.vocabulary import BEARISH, BULLISH, POSITION

#: What position trades may carry beside the codes of `state.anomalies`.
ANOMALIES: Final[dict[str, str]] = {
    "ALERT_MISSING": "An alert between two known ones never came: the trade's numbers are uncertain.",
    "OPENED_UNSEEN": "The position was already open at the first alert known: its entry is not known.",
    "RESYNC": "After a long silence the script began again from another position: what lies between is not known.",
}
#: The codes that make a trade's result one that statistics must not count on.
UNCERTAIN: Final = frozenset(ANOMALIES)

_MICROSECOND: Final = timedelta(microseconds=1)
#: Alerts between two checkpoints, at least: so many are folded again at most, beside those of the trades they meet.
CHECKPOINT_EVERY: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionTrade(Trade):
    """A trade derived from a stream.

    `entry_price` and `exit_price` are the averages. Quantities are in contracts, shares or lots, None when the
    alerts do not tell them; prices are in the symbol's own units.
    """

    stream_id: str
    #: held now: 0 once the trade is closed
    quantity: Decimal | None
    #: the most that was held at once
    max_quantity: Decimal | None
    avg_entry_price: Decimal | None
    avg_exit_price: Decimal | None
    #: sum over exits of (exit - average entry) x quantity, its sign turned for a short trade
    realized_points: Decimal | None
    #: exits that left something open: {"time", "price", "quantity", "realized_points", "order_id", "comment"}
    partial_exits: tuple[Mapping[str, Any], ...] = field(hash=False)


@dataclass(slots=True)
class _Open:
    """A trade while it is being put together."""

    side: int
    fills: Fills
    steps: list[Step] = field(default_factory=list)
    counted: int = 0
    opening: Step | None = None
    closing: Step | None = None
    closed: bool = False
    turned: bool = False
    marks: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An instant from which a stream can be folded again without what came before it, and the position held before
    it: whatever ran until then was closed in it, and another trade was opened."""

    at: datetime
    held: Holding


@dataclass(frozen=True, slots=True)
class StreamFold:
    """What the alerts of a stream say: its trades in their order, the breaks in its continuity, where it can be
    taken up again, and how many alerts came before any trade."""

    trades: list[PositionTrade]
    gaps: list[Gap]
    checkpoints: list[Checkpoint]
    loose: int


def fold_stream(events: Iterable[SignalEvent], start: Checkpoint | None = None) -> StreamFold:
    """The fold of the set of a stream's events or, from a checkpoint of an earlier fold, of those from its instant on.

    Trades that were opened before the checkpoint are not among the answer's, and they are what they were as long as
    no event up to its instant has come or gone. Events of other kinds are passed over. Raises ValueError when the
    events belong to more than one stream.
    """
    opened = [] if start is None else [_settled(start)]
    settled, loose, walked = len(opened), 0, 0
    gaps: list[Gap] = []
    checkpoints: list[Checkpoint] = []
    steps = [step_of(event) for event in _distinct(events)]
    for instant in instants(steps, None if start is None else start.held):
        known = len(opened)
        loose += sum(not _take(opened, one) for one in instant.walks)
        gaps += instant.gaps
        walked += len(instant.walks)
        if walked >= CHECKPOINT_EVERY and instant.held is not None and _begins_anew(instant, opened[known:]):
            checkpoints.append(Checkpoint(instant.at, instant.held))
            walked = 0
    return StreamFold(_named(opened[settled:]), gaps, checkpoints, loose)


def _distinct(events: Iterable[SignalEvent]) -> Iterable[SignalEvent]:
    """Each position event once."""
    distinct: dict[str, SignalEvent] = {}
    for event in events:
        if event.event_type == POSITION:
            known = distinct.get(event.event_key)
            distinct[event.event_key] = event if known is None else min(known, event, key=_first_told)
    if len({event.trade_id for event in distinct.values()}) > 1:
        raise ValueError("these events belong to more than one stream")
    return distinct.values()


def _begins_anew(instant: Instant, opened: Sequence[_Open]) -> bool:
    """Whether nothing after this instant can change a trade that was opened before it."""
    return bool(opened) and all(one.unseen is None and one.before.side != OPEN for one in instant.walks)


def _settled(start: Checkpoint) -> _Open:
    """What stands for the trade before a checkpoint, which takes the alerts that ended it."""
    side = start.held.side
    return _Open(side or 1, Fills(side or 1), closed=side == 0)


def derive(events: Iterable[SignalEvent]) -> tuple[list[PositionTrade], list[Gap]]:
    """The trades of one stream in their order, and the breaks in its continuity, from the set of its events."""
    folded = fold_stream(events)
    return folded.trades, folded.gaps


def trades_of(events: Iterable[SignalEvent], start: Checkpoint | None = None) -> tuple[list[Trade], list[Gap]]:
    """The trades of the events stored under one id: one, or those that position alerts tell of, with their gaps."""
    everything = list(events)
    others = [event for event in everything if event.event_type != POSITION]
    trades: list[Trade] = [fold(others)] if others else []
    if len(others) == len(everything):
        return trades, []
    folded = fold_stream(everything, start)
    return [*trades, *folded.trades], folded.gaps


def _first_told(event: SignalEvent) -> tuple[datetime, datetime, str]:
    return utc(event.received_at), utc(event.event_timestamp), repr(event)


def _take(opened: list[_Open], one: Walk) -> bool:
    """Apply what one alert did to the trades so far; False when there is none that it could belong to."""
    running = opened[-1] if opened and not opened[-1].closed else None
    if one.unseen is not None:
        running = _adjust_unseen(opened, running, one)
    before, after, step = one.before, one.after, one.step
    if running is not None and (one.renews or after.side != running.side):
        _close(running, step, turned=after.side != 0)
        running, before = None, FLAT
    if running is not None:
        _change(running, before.size, after.size, step)
    elif after.side:
        running = _Open(after.side, Fills(after.side), opening=step)
        opened.append(running)
        running.fills.enter(after.size, step.price)
    owner = running or (opened[-1] if opened else None)
    if owner is not None:
        # an alert that closes one trade and opens the next counts in the next
        owner.counted += 1
        if not owner.steps or owner.steps[-1] is not step:
            owner.steps.append(step)
    return owner is not None


def _adjust_unseen(opened: list[_Open], running: _Open | None, one: Walk) -> _Open | None:
    """What must have happened between the alert before and this one, at prices that nobody told."""
    mark, found = one.unseen or "", one.before
    if running is not None and found.side == running.side and not one.restarted:
        running.marks.add(mark)
        running.fills.jump_to(found.size)
        return running
    if running is not None:
        running.closed = True
        running.marks.add(mark)
        running.fills.leave(None, None)
    if found.side in (0, OPEN):
        return None
    unseen = _Open(found.side, Fills(found.side), marks={mark})
    unseen.fills.enter(found.size, None)
    opened.append(unseen)
    return unseen


def _close(trade: _Open, step: Step, *, turned: bool) -> None:
    trade.fills.leave(None, step.price, at=step.at, told=step.told)
    trade.closed = True
    trade.turned = turned
    trade.closing = step
    trade.steps.append(step)


def _change(trade: _Open, before: Decimal | None, after: Decimal | None, step: Step) -> None:
    """A fill that leaves the trade open: an add or a partial exit, by the sizes or else by the action."""
    if before is not None and after is not None:
        if after > before:
            trade.fills.enter(EXACT.subtract(after, before), step.price)
        elif after < before:
            trade.fills.leave_some(EXACT.subtract(before, after), step.price, at=step.at, told=step.told)
    elif step.reduces(trade.side):
        trade.fills.leave_some(step.quantity, step.price, at=step.at, told=step.told)
    elif step.enlarges(trade.side):
        trade.fills.enter(step.quantity, step.price)
    trade.fills.held = after


def _named(opened: Sequence[_Open]) -> list[PositionTrade]:
    """The finished trades, each under the stream's id with its opening time; a second of one instant gets .2."""
    used: dict[str, int] = {}
    trades = []
    for made in opened:
        first = made.opening or made.steps[0]
        base = f"{first.event.trade_id}@{compact(first.at)}"
        used[base] = used.get(base, 0) + 1
        trades.append(_finish(made, base if used[base] == 1 else f"{base}.{used[base]}"))
    return trades


def compact(instant: datetime) -> str:
    """An instant as trade ids hold it: 20251120T143000Z, with microseconds where there are some."""
    at = utc(instant)
    return f"{at:%Y%m%dT%H%M%S}" + (f".{at.microsecond:06d}" if at.microsecond else "") + "Z"


def stream_of(trade_id: str) -> str | None:
    """The stream of a derived trade's id, or None when it is no such id."""
    stream, at, _ = trade_id.rpartition("@")
    return stream if at and stream.startswith(STREAM_PREFIX) else None


def opened_at(trade_id: str) -> datetime | None:
    """The instant in a derived trade's id, or None when there is none."""
    told = _INSTANT.fullmatch(trade_id.rpartition("@")[2])
    try:
        return None if told is None else datetime.fromisoformat(told[1]).replace(tzinfo=UTC)
    except ValueError:
        return None


STREAM_PREFIX: Final = "pos~"
_INSTANT: Final = re.compile(r"([0-9]{8}T[0-9]{6}(?:\.[0-9]{6})?)Z(?:\.[0-9]{1,9})?")
_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.!")


def _part(name: str | None) -> str:
    if not name:
        return "-"
    escaped = "".join(
        one if one in _PLAIN else "~" if one == " " else "".join(f"*{byte:02X}" for byte in one.encode())
        for one in name.strip()
    )
    return "*2D" if escaped == "-" else escaped


def stream_id(strategy: str | None, symbol: str | None, exchange: str | None, interval: str | None) -> str:
    """The id under which a stream's events are stored: pos~<strategy>:<symbol>:<exchange>:<interval>.

    Readable and one to one: a blank is ~, any other sign outside letters, digits and _-.! is *XX, nothing is -.
    It begins with signs that no alert's own trade id may have, so the two never meet. May be over 500 characters
    long only for names that are mostly signs; such a name is refused by whoever reads the alert.
    """
    return STREAM_PREFIX + ":".join(
        (_part(strategy), _part(symbol and symbol.upper()), _part(exchange), _part(interval))
    )


def stream_name(stream: str) -> str:
    """A stream's id as people read it: EMA Cross, NQ1!, CME_MINI, 5."""
    parts = stream.removeprefix(STREAM_PREFIX).split(":")
    return ", ".join(unquote(part.replace("~", " ").replace("*", "%")) for part in parts if part != "-") or stream


def _duration(start: datetime | None, end: datetime | None) -> Decimal | None:
    if start is None or end is None:
        return None
    return exact((end - start) // _MICROSECOND, 1_000_000)


def _r_multiple(made: _Open, stop: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
    """The risk of one unit (|average entry - stop|, in price) and the result in R, where the alerts tell both."""
    entry, left = made.fills.avg_entry, made.fills.avg_exit
    risk = risk_of(entry, stop, None)
    if not made.closed or risk is None or entry is None or left is None:
        return risk, None
    gain = EXACT.subtract(left, entry) if made.side > 0 else EXACT.subtract(entry, left)
    return risk, RATIO.divide(gain, risk)


def _first(steps: Sequence[Step], name: str) -> Any:
    return next((told for step in steps if (told := getattr(step.event, name)) is not None), None)


def _finish(made: _Open, trade_id: str) -> PositionTrade:
    fills, events = made.fills, [step.event for step in made.steps]
    entry_time = made.opening.at if made.opening else None
    exit_time = made.closing.at if made.closing else None
    stop = price(made.opening.event.stop_loss) if made.opening else None
    risk, result = _r_multiple(made, stop)
    direction = BULLISH if made.side > 0 else BEARISH
    strategy_id = _first(made.steps, "strategy_id")
    reason = None
    if made.closing is not None:
        reason = text(made.closing.told.get("comment")) or ("REVERSED" if made.turned else "FLAT")
    return PositionTrade(
        trade_id=trade_id,
        stream_id=events[0].trade_id,
        status=COMPLETED if made.closed else ACTIVE,
        direction=direction,
        bias=direction,
        side="LONG" if made.side > 0 else "SHORT",
        symbol=_first(made.steps, "symbol"),
        strategy_id=strategy_id,
        strategy=_first(made.steps, "strategy_name") or strategy_id,
        timeframe=_first(made.steps, "timeframe"),
        session=session_at(entry_time or made.steps[0].at),
        entry_price=fills.avg_entry,
        stop_loss=stop,
        exit_price=fills.avg_exit if made.closed else None,
        risk_distance=risk,
        entry_time=entry_time,
        exit_time=exit_time,
        duration_seconds=_duration(entry_time, exit_time),
        be_triggered=False,
        current_mfe=None,
        max_mfe=None,
        be_mfe=None,
        no_be_mfe=None,
        mae=None,
        final_mfe=None,
        exit_reason=reason,
        realized_r=None if made.marks else result,
        targets=_first(made.steps, "targets"),
        setup=None,
        market_state={"entry": None, "latest": None},
        event_count=made.counted,
        first_event_time=made.steps[0].at,
        last_event_time=made.steps[-1].at,
        anomalies=tuple(sorted(made.marks)),
        events=tuple(events),
        quantity=fills.held,
        max_quantity=fills.most,
        avg_entry_price=fills.avg_entry,
        avg_exit_price=fills.avg_exit,
        realized_points=fills.realized,
        partial_exits=tuple(fills.partial_exits(made.closed)),
    )
