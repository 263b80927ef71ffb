"""An event as the API shows it."""

from typing import Any

from state.event import SignalEvent
from state.newyork import trading_date, wall_time


def event_as_dict(event: SignalEvent) -> dict[str, Any]:
    """An event as the API shows it: what is known, New York date and time, and the body as it was sent."""
    return {
        "event_id": event.id,
        "trade_id": event.trade_id,
        "event_type": event.event_type,
        "event_timestamp": event.event_timestamp,
        "event_time_source": event.event_time_source,
        "received_at": event.received_at,
        "signal_date": trading_date(event.event_timestamp),
        "signal_time": wall_time(event.event_timestamp),
        "session": event.session,
        "payload_version": event.payload_version,
        "schema_version": event.schema_version,
        "direction": event.direction,
        "bias": event.bias,
        "symbol": event.symbol,
        "exchange": event.exchange,
        "timeframe": event.timeframe,
        "strategy_id": event.strategy_id,
        "strategy_name": event.strategy_name,
        "entry_price": event.entry_price,
        "stop_loss": event.stop_loss,
        "risk_distance": event.risk_distance,
        "current_price": event.current_price,
        "exit_price": event.exit_price,
        "exit_reason": event.exit_reason,
        "mfe": event.mfe,
        "be_mfe": event.be_mfe,
        "no_be_mfe": event.no_be_mfe,
        "mae": event.mae,
        "final_mfe": event.final_mfe,
        "position_size": event.position_size,
        "targets": event.targets,
        **({} if event.position is None else {"position": event.position}),
        "warnings": [warning.as_dict() for warning in event.warnings],
        "body": event.telemetry if event.telemetry is not None else event.legacy_payload,
    }
