"""The canonical alert: the only thing that crosses from the payload versions to the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

#: `event_time_source` of an alert that carried no time: its time is the time of receipt.
RECEIVED: Final = "received"


@dataclass(frozen=True, slots=True)
class EventWarning:
    """Something about an accepted alert that its sender should know. `field` is a dotted path."""

    field: str
    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalEvent:
    """One event of one trade.

    Prices are in the symbol's own units; mfe, mae and the like are R multiples; times are aware.
    `event_key` identifies the alert within its trade: two events with the same trade_id and
    event_key are the same alert. Exactly one of `telemetry` and `legacy_payload` is the whole body
    as it was sent, without secrets (both may be None for rows of the older system).
    """

    trade_id: str
    event_type: str
    payload_version: str
    event_timestamp: datetime
    event_time_source: str
    received_at: datetime
    event_key: str

    direction: str | None = None
    bias: str | None = None
    symbol: str | None = None
    exchange: str | None = None
    timeframe: str | None = None
    strategy_id: str | None = None
    strategy_name: str | None = None
    strategy_version: str | None = None
    engine_version: str | None = None
    schema_version: str | None = None
    session: str | None = None

    entry_price: Decimal | None = None
    stop_loss: Decimal | None = None
    risk_distance: Decimal | None = None
    current_price: Decimal | None = None
    exit_price: Decimal | None = None
    exit_reason: str | None = None
    mfe: Decimal | None = None
    be_mfe: Decimal | None = None
    no_be_mfe: Decimal | None = None
    mae: Decimal | None = None
    final_mfe: Decimal | None = None
    #: contracts, shares or lots: the `contracts` column
    position_size: Decimal | None = None
    account_size: Decimal | None = None
    risk_percent: Decimal | None = None
    risk_amount: Decimal | None = None
    #: {"tp1_price": ...} of telemetry or {"target_1r": ...} of legacy alerts, values Decimal
    targets: Mapping[str, Any] | None = None

    #: of a POSITION event: what `state.continuity.step_of` reads
    position: Mapping[str, Any] | None = field(default=None, hash=False)

    telemetry: Mapping[str, Any] | None = field(default=None, hash=False)
    legacy_payload: Mapping[str, Any] | None = field(default=None, hash=False)
    #: the body as canonical JSON text, where it was written already; "" elsewhere
    body_text: str = field(default="", compare=False, repr=False)
    warnings: tuple[EventWarning, ...] = ()
    #: row number in the store; None before it is stored
    id: int | None = None

    @property
    def has_own_time(self) -> bool:
        """True when the sender gave the time; such an alert is the same for ever."""
        return self.event_time_source != RECEIVED

    @property
    def body_hash(self) -> str:
        """The digest of the body: `event_key` without the time of receipt that timeless keys end in."""
        return self.event_key.partition("@")[0]
