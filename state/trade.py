"""A trade, rebuilt from its events: a pure fold over the set of them.

Any order of arrival and any repetition of the same events give the same trade. How the status follows
is told in `state.lifecycle`, how one event is read in `state.evidence`, how R is measured in
`state.r_multiple`, and what the anomaly codes mean in `state.anomalies`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from state.anomalies import anomalies
from state.event import SignalEvent
from state.evidence import Evidence, in_order
from state.lifecycle import COMPLETED, Life, course
from state.r_multiple import EXACT, direction_of, realized_r, risk_of
from state.values import plain, utc
from state.vocabulary import BE_TRIGGERED, BEARISH, BULLISH, POSITION

T = TypeVar("T")

_SIDES: Final = {BULLISH: "LONG", BEARISH: "SHORT"}
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One trade as its events tell it.

    Prices and risk_distance are in the symbol's own units, MFE and MAE and realized_r in R, times are
    aware and in UTC, duration_seconds is a Decimal. What nothing tells is None. `trade_id` is "" when
    there are no events. `market_state` has the keys "entry" and "latest". `events` is the evidence in
    its order, each event once; `event_count` is their number.
    """

    trade_id: str
    status: str
    direction: str | None
    side: str | None
    symbol: str | None
    strategy_id: str | None
    #: the strategy's name, or its id when it has no name
    strategy: str | None
    timeframe: str | None
    session: str | None
    bias: str | None
    entry_price: Decimal | None
    stop_loss: Decimal | None
    exit_price: Decimal | None
    risk_distance: Decimal | None
    entry_time: datetime | None
    exit_time: datetime | None
    #: from entry to exit; None while it runs and when the exit lies before the entry
    duration_seconds: Decimal | None
    be_triggered: bool
    #: the newest MFE told
    current_mfe: Decimal | None
    #: the largest MFE told, of any leg
    max_mfe: Decimal | None
    #: the largest MFE of the leg whose stop moves to the entry at +1R
    be_mfe: Decimal | None
    #: the largest MFE of the leg that keeps its stop
    no_be_mfe: Decimal | None
    #: the MAE of the largest magnitude, its sign as sent (senders differ)
    mae: Decimal | None
    #: of a completed trade: the MFE that its exit tells, else the largest
    final_mfe: Decimal | None
    #: as sent; of an exit without a reason its kind: STOP_LOSS, BREAK_EVEN, TAKE_PROFIT, MANUAL
    exit_reason: str | None
    realized_r: Decimal | None
    targets: Mapping[str, Any] | None = field(hash=False)
    setup: Mapping[str, Any] | None = field(hash=False)
    market_state: Mapping[str, Any] = field(hash=False)
    event_count: int
    first_event_time: datetime | None
    last_event_time: datetime | None
    #: sorted codes of `state.anomalies.ANOMALIES`
    anomalies: tuple[str, ...]
    events: tuple[SignalEvent, ...] = field(hash=False, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """The trade without its events in plain values: dict, list, str, int, bool, Decimal, ISO times in UTC."""
        return {item.name: plain(getattr(self, item.name)) for item in fields(self) if item.name != "events"}


def _fact(life: Life, read: Callable[[Evidence], T | None]) -> T | None:
    """What the entry tells, else the earliest event that tells it."""
    return next((told for item in life.by_weight if (told := read(item)) is not None), None)


def _latest(life: Life, read: Callable[[Evidence], T | None]) -> T | None:
    return next((told for item in reversed(life.applied) if (told := read(item)) is not None), None)


def _largest(life: Life, read: Callable[[Evidence], Decimal | None]) -> Decimal | None:
    """The largest value told: a running maximum never falls, so a smaller one is late or another leg's."""
    return max((told for item in life.applied if (told := read(item)) is not None), default=None)


def _newest_mfe(item: Evidence) -> Decimal | None:
    told = (item.mfe, item.no_be_mfe, item.be_mfe)
    return next((value for value in told if value is not None), None)


def _initial_stop(life: Life) -> Decimal | None:
    """The stop that the risk is measured by: the entry's, else the earliest before it moved to break-even."""
    if life.entry is not None and life.entry.stop_loss is not None:
        return life.entry.stop_loss
    for item in life.applied:
        if item.event_type == BE_TRIGGERED:
            return None
        if item.stop_loss is not None:
            return item.stop_loss
    return None


def _duration(entry: Evidence | None, ended: Evidence | None) -> Decimal | None:
    if entry is None or ended is None or ended.at < entry.at:
        return None
    whole, rest = divmod((ended.at - entry.at) // _MICROSECOND, 1_000_000)
    fraction = EXACT.scaleb(Decimal(rest), -6)
    return EXACT.normalize(EXACT.add(Decimal(whole), fraction)) if rest else Decimal(whole)


def _about(life: Life) -> dict[str, Any]:
    """What the trade is: instrument, strategy, setting."""
    strategy_id = _fact(life, lambda item: item.strategy_id)
    return {
        "symbol": _fact(life, lambda item: item.symbol),
        "strategy_id": strategy_id,
        "strategy": _fact(life, lambda item: item.strategy_name) or strategy_id,
        "timeframe": _fact(life, lambda item: item.timeframe),
        "session": _fact(life, lambda item: item.session),
        "bias": _fact(life, lambda item: item.bias),
        "targets": _fact(life, lambda item: item.targets),
        "setup": _fact(life, lambda item: item.setup),
        "market_state": {
            "entry": life.entry.market_state if life.entry else None,
            "latest": _latest(life, lambda item: item.market_state),
        },
    }


def _excursions(life: Life) -> dict[str, Any]:
    """How far the trade went for and against its entry, in R."""
    largest = max((value for item in life.applied for value in item.excursions), default=None)
    adverse = [item.mae for item in life.applied if item.mae is not None]
    told_at_exit = life.exit.final_mfe if life.exit else None
    return {
        "current_mfe": _latest(life, _newest_mfe),
        "max_mfe": largest,
        "be_mfe": _largest(life, lambda item: item.be_mfe),
        "no_be_mfe": _largest(life, lambda item: item.no_be_mfe),
        # Of 0.5 and -0.5 the negative one: the order of the evidence must not decide.
        "mae": max(adverse, key=lambda value: (value.copy_abs(), value < 0), default=None),
        "final_mfe": told_at_exit if told_at_exit is not None or life.status != COMPLETED else largest,
    }


def _ending(life: Life) -> dict[str, Any]:
    """How the trade ended: prices, times and reason, None while it runs."""
    ended = life.exit
    last = ended or life.cancellation
    reason = last.exit_reason if last else None
    if ended is not None and reason is None:
        reason = (ended.event_type or "").removeprefix("EXIT_")
    return {
        "exit_price": ended.exit_price if ended else None,
        "entry_time": life.entry.at if life.entry else None,
        "exit_time": ended.at if ended else None,
        "duration_seconds": _duration(life.entry, ended),
        "exit_reason": reason,
    }


def _result(life: Life, about: Mapping[str, Any], max_mfe: Decimal | None) -> dict[str, Any]:
    """The trade's prices, direction and result, and what is odd about them."""
    entry_price = _fact(life, lambda item: item.entry_price)
    stop_loss = _initial_stop(life)
    direction = (
        _fact(life, lambda item: item.direction)
        or (about["bias"] if about["bias"] in _SIDES else None)
        or direction_of(entry_price, stop_loss)
    )
    risk = risk_of(entry_price, stop_loss, _fact(life, lambda item: item.risk_distance))
    result = None
    if life.exit is not None:
        result = realized_r(
            life.exit.event_type or "",
            exit_price=life.exit.exit_price,
            entry_price=entry_price,
            risk=risk,
            direction=direction,
            targets=about["targets"],
            max_mfe=max_mfe,
        )
    return {
        "direction": direction,
        "side": _SIDES.get(direction or ""),
        "entry_price": entry_price,
        "stop_loss": stop_loss,
        "risk_distance": risk,
        "realized_r": result,
        "anomalies": anomalies(
            life, direction=direction, entry_price=entry_price, stop_loss=stop_loss, realized_r=result
        ),
    }


def fold(events: Iterable[SignalEvent], onto: Trade | None = None) -> Trade:
    """The trade that the set of `events`, with those of `onto`, makes.

    Events are the same when their event_key is. The answer depends on the set alone: not on order, not
    on repetition, not on what was folded before (`onto`). No events give an UNKNOWN trade without an id.
    Raises ValueError when the events belong to more than one trade; the content of a body never raises.
    """
    told = (*onto.events, *events) if onto else events
    ordered = in_order(event for event in told if event.event_type != POSITION)
    life = course(ordered)
    about = _about(life)
    excursions = _excursions(life)
    return Trade(
        trade_id=ordered[0].event.trade_id if ordered else "",
        status=life.status,
        be_triggered=life.be_triggered,
        event_count=len(ordered),
        first_event_time=ordered[0].at if ordered else None,
        last_event_time=ordered[-1].at if ordered else None,
        events=tuple(item.event for item in ordered),
        **about,
        **excursions,
        **_ending(life),
        **_result(life, about, excursions["max_mfe"]),
    )


def as_of(events: Iterable[SignalEvent], instant: datetime) -> tuple[SignalEvent, ...]:
    """The events that had happened by `instant` (aware, inclusive), by event time."""
    until = utc(instant)
    return tuple(event for event in events if utc(event.event_timestamp) <= until)


def known_at(events: Iterable[SignalEvent], instant: datetime) -> tuple[SignalEvent, ...]:
    """The events that had been received by `instant` (aware, inclusive), whatever time they tell of."""
    until = utc(instant)
    return tuple(event for event in events if utc(event.received_at) <= until)
