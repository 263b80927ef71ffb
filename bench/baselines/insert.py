"""The insert of one full telemetry alert, as the baselines send it: $1 the body, $2 its time, $3 its key."""

INSERT = """
INSERT INTO automated_signals (
    trade_id, event_type, direction, entry_price, stop_loss, risk_distance, session, symbol, exchange, strategy_id,
    strategy_name, timeframe, contracts, mfe, mae, targets, telemetry, payload_version, event_timestamp,
    event_time_source, received_at, event_key
)
SELECT r.trade_id, r.event_type, r.direction, r.entry_price, r.stop_loss, r.entry_price - r.stop_loss, r.session,
    r.symbol, r.exchange, r.strategy_id, r.strategy_name, r.timeframe, r.position_size, r."mfe_R", r."mae_R", r.targets,
    $1::jsonb, 'telemetry_v1', $2, 'iso', clock_timestamp(), $3
FROM jsonb_to_record($1::jsonb) AS r (
    trade_id TEXT, event_type TEXT, direction TEXT, entry_price NUMERIC, stop_loss NUMERIC, session TEXT, symbol TEXT,
    exchange TEXT, strategy_id TEXT, strategy_name TEXT, timeframe TEXT, position_size NUMERIC, "mfe_R" NUMERIC,
    "mae_R" NUMERIC, targets JSONB
)
ON CONFLICT (trade_id, event_key) DO NOTHING
RETURNING id
"""
