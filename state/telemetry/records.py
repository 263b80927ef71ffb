"""One recorded line of a script to one row: strict about what it means, exact about its numbers.

A record is a JSON object {kind, profile_id, timestamp, ...}: the arguments of the recording method under their
names. Nothing is guessed: an unknown field, a time without offset or a value out of its range is refused with a
sentence that names the field.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from state.telemetry.outcomes import LONG, SHORT, closed_trade
from state.values import number

SIGNAL: Final = "breakout_signal"
OUTCOME: Final = "breakout_outcome"
EQUITY: Final = "equity"
ORDER: Final = "order"
LATENCY: Final = "latency"
HEALTH: Final = "health"

ORDER_STATUSES: Final = ("pending", "partially_filled", "filled", "canceled", "expired", "converted", "rejected")
HEALTH_STATUSES: Final = ("healthy", "degraded", "error")
#: The script of an order's API call when the record does not name it.
UNKNOWN_SCRIPT: Final = "unknown"
#: How far a script's clock may be ahead of ours.
CLOCK_SKEW: Final = timedelta(minutes=5)
MAX_PROFILE: Final = 2**63 - 1
LIMIT: Final = Decimal("1e15")
MAX_METADATA: Final = 100

_COUNT_LIMIT: Final = 2**31 - 1


class RecordError(ValueError):
    """The record cannot be taken; the text is a sentence for its sender."""


@dataclass(frozen=True, slots=True)
class Row:
    """One accepted record: its kind, its owner, its time (aware, UTC) and the columns of its table."""

    kind: str
    profile_id: int
    recorded_at: datetime
    columns: Mapping[str, Any]


class _Reader:
    """Takes fields out of a record one by one, so that what is left at the end is unknown."""

    def __init__(self, record: Mapping[str, Any], now: datetime) -> None:
        self._left = dict(record)
        self._now = now

    def raw(self, name: str, *, required: bool = False) -> Any:
        value = self._left.pop(name, None)
        if value is None and required:
            raise RecordError(f"{name} is missing")
        return value

    def needed(self, name: str, **bounds: Decimal | int) -> Decimal:
        return _numeric(name, self.raw(name, required=True), **bounds)

    def maybe(self, name: str, **bounds: Decimal | int) -> Decimal | None:
        value = self.raw(name)
        return None if value is None else _numeric(name, value, **bounds)

    def count(self, name: str, *, required: bool = False, default: int | None = None) -> int | None:
        value = self.raw(name, required=required)
        return default if value is None else _whole(name, value, _COUNT_LIMIT)

    def text(self, name: str, limit: int = 100) -> str:
        return _words(name, self.raw(name, required=True), limit)

    def maybe_text(self, name: str, limit: int = 100) -> str | None:
        value = self.raw(name)
        return None if value is None else _words(name, value, limit)

    def one_of(self, name: str, choices: tuple[str, ...], aliases: Mapping[str, str]) -> str:
        word = self.text(name).lower()
        word = aliases.get(word, word)
        if word not in choices:
            raise RecordError(f"{name} must be one of {', '.join(choices)}")
        return word

    def instant(self, name: str) -> datetime:
        return _instant(name, self.raw(name, required=True), self._now)

    def maybe_instant(self, name: str) -> datetime | None:
        value = self.raw(name)
        return None if value is None else _instant(name, value, self._now)

    def profile(self) -> int:
        return _whole("profile_id", self.raw("profile_id", required=True), MAX_PROFILE)

    def metadata(self) -> dict[str, Any]:
        value = self.raw("metadata")
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise RecordError("metadata must be an object")
        if len(value) > MAX_METADATA:
            raise RecordError(f"metadata has more than {MAX_METADATA} fields")
        _check_storable(value)
        return dict(value)

    def finish(self) -> None:
        if self._left:
            raise RecordError(f"{min(self._left)[:100]} is not a field of this kind of record")


def _numeric(name: str, value: Any, *, low: Decimal | int | None = None, high: Decimal | int = LIMIT) -> Decimal:
    found = number(value)
    if found is None:
        raise RecordError(f"{name} must be a number")
    if found < (-LIMIT if low is None else low) or found > high:
        span = f"from {low} to {high}" if low is not None and high != LIMIT else None
        raise RecordError(f"{name} must lie {span}" if span else f"{name} is out of range")
    return found


def _whole(name: str, value: Any, limit: int) -> int:
    found = number(value)
    if found is None or found != found.to_integral_value() or not 0 <= found <= limit:
        raise RecordError(f"{name} must be a whole number from 0 to {limit}")
    return int(found)


def _words(name: str, value: Any, limit: int) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise RecordError(f"{name} must be text")
    words = value.strip()
    if len(words) > limit:
        raise RecordError(f"{name} has more than {limit} characters")
    if not _is_storable(words):
        raise RecordError(f"{name} holds a character that cannot be stored")
    return words


def _instant(name: str, value: Any, now: datetime) -> datetime:
    if not isinstance(value, str) or len(value) > 40:
        raise RecordError(f"{name} must be an ISO 8601 time with an offset")
    try:
        instant = datetime.fromisoformat(value.strip())
        instant = instant.astimezone(UTC) if instant.tzinfo is not None else instant
    except (ValueError, OverflowError):
        raise RecordError(f"{name} must be an ISO 8601 time with an offset") from None
    if instant.tzinfo is None:
        raise RecordError(f"{name} needs an offset, such as Z or -05:00")
    if instant.year < 2000:
        raise RecordError(f"{name} lies before the year 2000")
    if instant > now + CLOCK_SKEW:
        raise RecordError(f"{name} lies in the future")
    return instant


def _is_storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _check_storable(value: Any) -> None:
    """Raise RecordError when a text or number inside cannot be stored as JSON."""
    layer = [value]
    while layer:
        inner: list[Any] = []
        for item in layer:
            if isinstance(item, Mapping):
                inner.extend(item.keys())
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
            elif isinstance(item, float) or (isinstance(item, str) and not _is_storable(item)):
                raise RecordError("metadata holds a value that cannot be stored")
        layer = inner


def _signal(reader: _Reader) -> dict[str, Any]:
    return {
        "symbol": reader.text("symbol"),
        "direction": reader.text("direction", 50),
        "bar_strength": reader.needed("bar_strength", low=0, high=1),
        "close_price": reader.needed("close_price"),
        "candle_size": reader.needed("candle_size", low=0),
        "volume": reader.needed("volume", low=0),
        "metadata": reader.metadata(),
    }


def _outcome(reader: _Reader) -> dict[str, Any]:
    metadata = reader.metadata()
    aside = _Reader(
        {name: metadata[name] for name in ("side", "multiplier", "exit_reason") if name in metadata}, _NEVER
    )
    side = reader.maybe_text("side") or aside.maybe_text("side") or LONG
    multiplier = reader.maybe("multiplier")
    if multiplier is None:
        multiplier = aside.maybe("multiplier")
    if side.lower() not in (LONG, SHORT):
        raise RecordError(f"side must be {LONG} or {SHORT}")
    columns = {
        "symbol": reader.text("symbol"),
        "trade_type": "breakout",
        "bar_strength": reader.maybe("bar_strength", low=0, high=1),
        "direction": reader.maybe_text("direction", 50),
        "exit_reason": reader.maybe_text("exit_reason") or aside.maybe_text("exit_reason"),
        "metadata": metadata,
    }
    entry_time, exit_time = reader.instant("entry_time"), reader.instant("exit_time")
    if exit_time < entry_time:
        raise RecordError("exit_time lies before entry_time")
    money = closed_trade(
        side=side.lower(),
        entry_price=reader.needed("entry_price"),
        exit_price=reader.needed("exit_price"),
        quantity=_above_zero("quantity", reader.needed("quantity")),
        multiplier=_above_zero("multiplier", Decimal(1) if multiplier is None else multiplier),
        signal_price=reader.maybe("signal_price"),
        entry_time=entry_time,
        exit_time=exit_time,
    )
    return {**columns, **money}


def _above_zero(name: str, value: Decimal) -> Decimal:
    if value <= 0:
        raise RecordError(f"{name} must be more than 0")
    return value


def _equity(reader: _Reader) -> dict[str, Any]:
    return {
        "account_equity": reader.needed("account_equity"),
        "unrealized_pnl": reader.needed("unrealized_pnl"),
        "realized_pnl": reader.needed("realized_pnl"),
        "margin_used": reader.needed("margin_used", low=0),
        "margin_available": reader.needed("margin_available"),
        "open_positions_count": reader.count("open_positions_count", required=True),
        "metadata": reader.metadata(),
    }


def _order(reader: _Reader) -> dict[str, Any]:
    metadata = reader.metadata()
    script = reader.maybe_text("script_name")
    if script is None and metadata.get("script_name") is not None:
        script = _words("metadata.script_name", metadata["script_name"], 100)
    return {
        "symbol": reader.text("symbol"),
        "order_type": reader.text("order_type", 50),
        "side": reader.text("side", 50),
        "status": reader.one_of("status", ORDER_STATUSES, {"cancelled": "canceled"}),
        "quantity": reader.needed("quantity", low=0),
        "order_id": reader.maybe_text("order_id"),
        "limit_price": reader.maybe("limit_price"),
        "filled_price": reader.maybe("filled_price"),
        "filled_quantity": reader.maybe("filled_quantity", low=0),
        "slippage": reader.maybe("slippage"),
        "api_latency_ms": reader.maybe("api_latency_ms", low=0),
        "script_name": script or UNKNOWN_SCRIPT,
        "metadata": metadata,
    }


def _latency(reader: _Reader) -> dict[str, Any]:
    return {"script_name": reader.text("script_name"), "latency_ms": reader.needed("latency_ms", low=0)}


def _health(reader: _Reader) -> dict[str, Any]:
    return {
        "script_name": reader.text("script_name"),
        "status": reader.one_of("status", HEALTH_STATUSES, {"ok": "healthy"}),
        "api_latency_avg_ms": reader.maybe("api_latency_avg_ms", low=0),
        "rate_limit_remaining": reader.count("api_rate_limit_remaining"),
        "rate_limit_limit": reader.count("api_rate_limit_limit"),
        "error_count": reader.count("error_count", default=0),
        "warning_count": reader.count("warning_count", default=0),
        "metadata": reader.metadata(),
    }


_KINDS: Final[Mapping[str, Callable[[_Reader], dict[str, Any]]]] = {
    SIGNAL: _signal,
    OUTCOME: _outcome,
    EQUITY: _equity,
    ORDER: _order,
    LATENCY: _latency,
    HEALTH: _health,
}
KINDS: Final = tuple(_KINDS)
_NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)


def read_record(record: object, *, now: datetime) -> Row:
    """The row of one record. `now` (aware) bounds its times from above. Raises RecordError."""
    if not isinstance(record, Mapping):
        raise RecordError("a record must be a JSON object")
    reader = _Reader(record, now)
    kind = reader.raw("kind", required=True)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise RecordError(f"kind must be one of {', '.join(KINDS)}")
    profile_id = reader.profile()
    at = reader.maybe_instant("timestamp")
    columns = _KINDS[kind](reader)
    if at is None and kind == OUTCOME:
        at = columns["exit_time"]
    if at is None:
        raise RecordError("timestamp is missing")
    reader.finish()
    return Row(kind, profile_id, at, columns)
