"""Events to rows of automated_signals and back."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

from state import jsontext
from state.event import EventWarning, SignalEvent
from state.newyork import to_new_york

#: Event fields whose column has another name.
_RENAMED: Final = {"position_size": "contracts"}
#: Event fields that the body holds and no column repeats.
_IN_BODY_ONLY: Final = frozenset({"strategy_version", "engine_version", "schema_version"})
_PLAIN: Final = tuple(
    (field.name, _RENAMED.get(field.name, field.name))
    for field in fields(SignalEvent)
    if field.name not in _IN_BODY_ONLY | {"id", "warnings", "body_text"}
)
_TARGET_COLUMNS: Final = ("target_1r", "target_2r", "target_3r", "target_5r", "target_10r", "target_20r")
_NAMES: Final = tuple(name for name, _ in _PLAIN)
_TIMES: Final = ("event_timestamp", "received_at")
# one call for all columns of a row: millions of them are read
_COLUMNS: Final = attrgetter(*(column for _, column in _PLAIN))
_TARGETS: Final = attrgetter(*_TARGET_COLUMNS)
_NO_TARGETS: Final = (None,) * len(_TARGET_COLUMNS)


def from_event(event: SignalEvent) -> dict[str, Any]:
    """The row of an event, as `insert_events` takes it: plain values ready for JSON."""
    row: dict[str, Any] = {column: getattr(event, name) for name, column in _PLAIN}
    row = {column: value for column, value in row.items() if value is not None}
    if event.body_text:
        row["legacy_payload" if event.telemetry is None else "telemetry"] = jsontext.written(event.body_text)
    local = to_new_york(event.event_timestamp)
    row["signal_date"] = local.date()
    row["signal_time"] = local.time().replace(microsecond=0)
    row["has_own_time"] = event.has_own_time
    row["body_hash"] = event.body_hash
    for column in _TARGET_COLUMNS:
        target = (event.targets or {}).get(column)
        if isinstance(target, Decimal | int) and not isinstance(target, bool):
            row[column] = target
    if event.warnings:
        row["warnings"] = [warning.as_dict() for warning in event.warnings]
    return row


def _finite(value: Any) -> Any:
    return None if isinstance(value, Decimal) and not value.is_finite() else value


def _schema_part(body: Mapping[str, Any] | None, name: str) -> str | None:
    if not isinstance(body, dict):
        return None
    inner = body.get("attributes")
    value = (inner if isinstance(inner, dict) else body).get(name)
    return value if isinstance(value, str) else None


def to_event(row: Any) -> SignalEvent:
    """The event of a row (a named tuple with the table's columns), times in UTC.

    A row of the older system may hold any text as its event type; it is kept as it is.
    """
    values = dict(zip(_NAMES, map(_finite, _COLUMNS(row)), strict=True))
    for name in _TIMES:
        values[name] = values[name].astimezone(UTC)
    values["event_type"] = values["event_type"] or ""
    targets = _TARGETS(row)
    if targets != _NO_TARGETS:
        told = {
            name: target for name, target in zip(_TARGET_COLUMNS, targets, strict=True) if _finite(target) is not None
        }
        if told:
            values["targets"] = {**told, **(values["targets"] if isinstance(values["targets"], dict) else {})}
    body = values["telemetry"] or values["legacy_payload"]
    warnings = tuple(EventWarning(w["field"], w["code"], w["message"]) for w in row.warnings or ())
    values.update({name: _schema_part(body, name) for name in _IN_BODY_ONLY})
    return SignalEvent(**values, warnings=warnings, id=row.id)
