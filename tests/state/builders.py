"""Events for the tests of the state: short to write, minutes counted from one opening."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from state.event import SignalEvent
from state.trade import Trade, fold

OPENING = datetime(2025, 11, 20, 14, 30, tzinfo=UTC)
_KEYS = count()


def at(minute: float) -> datetime:
    """The instant that many minutes after the opening."""
    return OPENING + timedelta(minutes=minute)


def event(event_type: str, minute: float = 0, *, key: str | None = None, **values: Any) -> SignalEvent:
    """One event; numbers given as text or int become Decimal. It is received a second after it happened."""
    numbers = {
        name: Decimal(value) if isinstance(value, int | str) and name in NUMERIC else value
        for name, value in values.items()
    }
    defaults: dict[str, Any] = {
        "trade_id": "T1",
        "payload_version": "direct",
        "event_timestamp": at(minute),
        "event_time_source": "iso",
        "received_at": at(minute) + timedelta(seconds=1),
        "event_key": key if key is not None else f"key-{next(_KEYS)}",
    }
    return SignalEvent(event_type=event_type, **{**defaults, **numbers})


NUMERIC = frozenset(
    {"entry_price", "stop_loss", "risk_distance", "current_price", "exit_price"}
    | {"mfe", "be_mfe", "no_be_mfe", "mae", "final_mfe"}
)


def told(event_type: str, minute: float = 0, telemetry: Mapping[str, Any] | None = None, **columns: Any) -> SignalEvent:
    """One telemetry event with the root body `telemetry`; `columns` are the row's flat values."""
    body = {"schema_version": "1.0.0", "trade_id": "T1", "event_type": event_type, **(telemetry or {})}
    return event(event_type, minute, telemetry=body, payload_version="telemetry_v1", **columns)


def entry(minute: float = 0, **values: Any) -> SignalEvent:
    """A Bullish entry at 100 with its stop at 90: the risk is 10."""
    return event("ENTRY", minute, **{"direction": "Bullish", "entry_price": 100, "stop_loss": 90, **values})


def trade(*events: SignalEvent) -> Trade:
    return fold(events)
