"""What one event says about its trade: its telemetry laid over its flat columns, field by field.

The telemetry is the sender's own word, so a readable value there wins and the column only fills what
the telemetry leaves out or garbles. A real 0 is a value. Field names are those that telemetry senders
have used over time; `exit_timestamp` is not among them, since the indicator never fills it in.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from state.event import SignalEvent
from state.values import mapping, number, price, r_multiple, text, utc
from state.vocabulary import (
    ENTRY,
    EVENT_TYPES,
    EXIT_PARTIAL,
    FINAL_EXITS,
    canonical_direction,
    canonical_event,
    canonical_session,
)

T = TypeVar("T")

_NOTHING: Final[Mapping[str, Any]] = {}
_RANKS: Final = {event_type: rank for rank, event_type in enumerate(EVENT_TYPES)}
_IDENTIFYING: Final = ("trade_id", "event_type")

_DIRECTION: Final = ("direction", "signal_type", "confirmation_type", "trade_type", "side")
_ENTRY_PRICE: Final = ("entry_price", "actual_entry_price", "entry")
_STOP_LOSS: Final = ("stop_loss", "sl_price", "stop_loss_price", "stop_price", "stop")
_EXIT_PRICE: Final = ("exit_price", "resolution_price")
_MFE: Final = ("mfe_R", "mfe", "current_mfe")
_BE_MFE: Final = ("be_mfe", "be_mfe_R", "final_be_mfe")
_NO_BE_MFE: Final = ("no_be_mfe", "no_be_mfe_R", "final_no_be_mfe")
#: Senders that know `mae_global_R` put another number, the MFE of the leg without break-even, in `mae_R`.
_MAE: Final = ("mae_global_R", "mae_global_r", "mae_R_global", "mae_R", "mae")
_FINAL_MFE: Final = ("final_mfe", "final_mfe_R", "final_be_mfe", "final_no_be_mfe")
_EXIT_REASON: Final = (
    "exit_reason",
    "completion_reason",
    "resolution_type",
    "cancel_reason",
    "cancellation_reason",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One event as the fold sees it: prices in the symbol's units, MFE and MAE in R, `at` in UTC.

    `event_type` is canonical, or None when the event's name is none of ours.
    """

    event: SignalEvent
    event_type: str | None
    at: datetime
    direction: str | None
    bias: str | None
    symbol: str | None
    strategy_id: str | None
    strategy_name: str | None
    timeframe: str | None
    session: str | None
    entry_price: Decimal | None
    stop_loss: Decimal | None
    risk_distance: Decimal | None
    exit_price: Decimal | None
    exit_reason: str | None
    mfe: Decimal | None
    be_mfe: Decimal | None
    no_be_mfe: Decimal | None
    mae: Decimal | None
    final_mfe: Decimal | None
    targets: Mapping[str, Any] | None
    setup: Mapping[str, Any] | None
    market_state: Mapping[str, Any] | None

    @property
    def excursions(self) -> tuple[Decimal, ...]:
        """Every MFE that the event tells, of any leg, in R."""
        told = (self.mfe, self.be_mfe, self.no_be_mfe, self.final_mfe)
        return tuple(value for value in told if value is not None)


def telemetry_of(event: SignalEvent) -> Mapping[str, Any]:
    """The telemetry's own fields: those of `attributes` in the wrapped form, else the body; {} when none."""
    body = mapping(event.telemetry)
    if body is None:
        return _NOTHING
    inner = mapping(body.get("attributes"))
    wrapped = inner is not None and any(name in inner for name in _IDENTIFYING)
    rooted = body.get("schema_version") is not None and any(name in body for name in _IDENTIFYING)
    return inner if inner is not None and wrapped and not rooted else body


def _event_type(event: SignalEvent, body: Mapping[str, Any]) -> str | None:
    """The canonical event type: the telemetry's, unless both are exits.

    The receiver names an exit more closely than its sender (by the reason), so there the column stays.
    """
    column = canonical_event(event.event_type)
    sent = canonical_event(text(body.get("event_type")) or "")
    if sent is None or (sent in FINAL_EXITS and column in FINAL_EXITS):
        return column
    return sent


def _first(
    read: Callable[[object], T | None], body: Mapping[str, Any], names: Iterable[str], column: object
) -> T | None:
    """The first readable value among the telemetry's `names`, else the column's."""
    for name in names:
        if name in body and (found := read(body[name])) is not None:
            return found
    return read(column)


def _direction(value: object) -> str | None:
    return canonical_direction(text(value) or "")


def _bias(value: object) -> str | None:
    found = text(value)
    return found and (canonical_direction(found) or found)


def _session(value: object) -> str | None:
    found = text(value)
    return found and (canonical_session(found) or found)


def _distance(value: object) -> Decimal | None:
    found = number(value)
    return found if found is not None and found > 0 else None


def _about_trade(event: SignalEvent, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "direction": _first(_direction, body, _DIRECTION, event.direction),
        "bias": _first(_bias, body, ("bias",), event.bias),
        "symbol": _first(text, body, ("symbol", "ticker"), event.symbol),
        "strategy_id": _first(text, body, ("strategy_id",), event.strategy_id),
        "strategy_name": _first(text, body, ("strategy_name",), event.strategy_name),
        "timeframe": _first(text, body, ("timeframe", "interval"), event.timeframe),
        "session": _first(_session, body, ("session",), event.session),
        "targets": _first(mapping, body, ("targets",), event.targets),
        "setup": mapping(body.get("setup")),
        "market_state": mapping(body.get("market_state")),
    }


def _prices(event: SignalEvent, body: Mapping[str, Any], event_type: str | None) -> dict[str, Any]:
    """The event's prices; a bare `price` is the fill of an entry or of an exit."""
    entry_names = (*_ENTRY_PRICE, "price") if event_type == ENTRY else _ENTRY_PRICE
    is_exit = event_type in FINAL_EXITS or event_type == EXIT_PARTIAL
    exit_names = (*_EXIT_PRICE, "price") if is_exit else _EXIT_PRICE
    return {
        "entry_price": _first(price, body, entry_names, event.entry_price),
        "stop_loss": _first(price, body, _STOP_LOSS, event.stop_loss),
        "risk_distance": _first(_distance, body, ("risk_distance",), event.risk_distance),
        "exit_price": _first(price, body, exit_names, event.exit_price),
    }


def _excursions(event: SignalEvent, body: Mapping[str, Any]) -> dict[str, Any]:
    """MFE and MAE in R. A leg that the telemetry does not name follows its mfe_R, before any column."""
    mfe = _first(r_multiple, body, _MFE, None)
    return {
        "mfe": r_multiple(event.mfe) if mfe is None else mfe,
        "be_mfe": _first(r_multiple, body, _BE_MFE, event.be_mfe if mfe is None else mfe),
        "no_be_mfe": _first(r_multiple, body, _NO_BE_MFE, event.no_be_mfe if mfe is None else mfe),
        "mae": _first(r_multiple, body, _MAE, event.mae),
        "final_mfe": _first(r_multiple, body, _FINAL_MFE, event.final_mfe),
    }


def evidence(event: SignalEvent) -> Evidence:
    """What `event` says. Unreadable values are None; raises ValueError only for a time without an offset."""
    body = telemetry_of(event)
    event_type = _event_type(event, body)
    return Evidence(
        event=event,
        event_type=event_type,
        at=utc(event.event_timestamp),
        exit_reason=_first(text, body, _EXIT_REASON, event.exit_reason),
        **_about_trade(event, body),
        **_prices(event, body, event_type),
        **_excursions(event, body),
    )


def _content(value: object) -> object:
    """A value that orders any two different contents of the same event."""
    if isinstance(value, Mapping):
        return repr(sorted((repr(name), _content(inner)) for name, inner in value.items()))
    if isinstance(value, list | tuple):
        return repr([_content(inner) for inner in value])
    return repr(value)


def _better(one: SignalEvent, other: SignalEvent) -> SignalEvent:
    """Which of two accounts of the same alert counts: the one received first, else by content."""

    def order(event: SignalEvent) -> tuple[datetime, datetime, str]:
        everything = repr([_content(getattr(event, item.name)) for item in fields(event)])
        return utc(event.received_at), utc(event.event_timestamp), everything

    return one if one is other or order(one) <= order(other) else other


def in_order(events: Iterable[SignalEvent]) -> tuple[Evidence, ...]:
    """The evidence of distinct events (by event_key) in the one order of their trade.

    Ordered by event time, then by the place of the event type in a trade's life, then by time of
    receipt, then by event_key. Raises ValueError when the events belong to more than one trade.
    """
    distinct: dict[str, SignalEvent] = {}
    for event in events:
        known = distinct.get(event.event_key)
        distinct[event.event_key] = event if known is None else _better(known, event)
    if len({event.trade_id for event in distinct.values()}) > 1:
        raise ValueError("these events belong to more than one trade")
    return tuple(sorted(map(evidence, distinct.values()), key=_place))


def _place(item: Evidence) -> tuple[datetime, int, datetime, str]:
    rank = _RANKS.get(item.event_type or "", len(EVENT_TYPES))
    return item.at, rank, utc(item.event.received_at), item.event.event_key
