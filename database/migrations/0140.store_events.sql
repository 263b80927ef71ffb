-- depends: 0130.extremes_on_many_servers
-- Stores a group of events: repeats recognised, what is new marked for the next fold and for the feed. A function,
-- because a group then costs one round trip and its plan is kept by the database's process, behind a pooler too;
-- planning the statement anew cost as much as storing an alert.
-- Numbers are given in the order of the rows; locks are taken in the order of their keys, or two groups could wait
-- for each other. The commit waits for the disk whatever the server's default is.
CREATE FUNCTION store_events(events JSONB)
RETURNS TABLE (trade_id TEXT, event_key TEXT, id BIGINT)
LANGUAGE plpgsql AS $store_events$
#variable_conflict use_column
BEGIN
    PERFORM set_config('synchronous_commit', 'on', TRUE);
    RETURN QUERY
    WITH incoming AS MATERIALIZED (
        SELECT
            r.*,
            nextval((SELECT pg_get_serial_sequence('automated_signals', 'id')::regclass)) AS id
        FROM
            jsonb_to_recordset(events) AS r (
                trade_id TEXT, event_type TEXT, direction TEXT, entry_price NUMERIC, stop_loss NUMERIC,
                risk_distance NUMERIC, target_1r NUMERIC, target_2r NUMERIC, target_3r NUMERIC, target_5r NUMERIC,
                target_10r NUMERIC, target_20r NUMERIC, current_price NUMERIC, mfe NUMERIC, be_mfe NUMERIC,
                no_be_mfe NUMERIC, exit_price NUMERIC, final_mfe NUMERIC, session TEXT, bias TEXT,
                account_size NUMERIC, risk_percent NUMERIC, contracts NUMERIC, risk_amount NUMERIC,
                signal_date DATE, signal_time TIME, targets JSONB, telemetry JSONB, mae NUMERIC, symbol TEXT,
                exchange TEXT, strategy_id TEXT, strategy_name TEXT, timeframe TEXT, exit_reason TEXT,
                payload_version TEXT, legacy_payload JSONB, event_timestamp TIMESTAMPTZ, event_time_source TEXT,
                received_at TIMESTAMPTZ, event_key TEXT, warnings JSONB, position JSONB
            )
    ),

    inserted AS (
        INSERT INTO automated_signals (
            id, trade_id, event_type, direction, entry_price, stop_loss, risk_distance, target_1r, target_2r, target_3r,
            target_5r, target_10r, target_20r, current_price, mfe, be_mfe, no_be_mfe, exit_price, final_mfe, session,
            bias, account_size, risk_percent, contracts, risk_amount, signal_date, signal_time, targets, telemetry,
            mae, symbol, exchange, strategy_id, strategy_name, timeframe, exit_reason, payload_version, legacy_payload,
            event_timestamp, event_time_source, received_at, event_key, warnings, position
        )
        SELECT
            i.id,
            i.trade_id,
            i.event_type,
            i.direction,
            i.entry_price,
            i.stop_loss,
            i.risk_distance,
            i.target_1r,
            i.target_2r,
            i.target_3r,
            i.target_5r,
            i.target_10r,
            i.target_20r,
            i.current_price,
            i.mfe,
            i.be_mfe,
            i.no_be_mfe,
            i.exit_price,
            i.final_mfe,
            i.session,
            i.bias,
            i.account_size,
            i.risk_percent,
            i.contracts,
            i.risk_amount,
            i.signal_date,
            i.signal_time,
            i.targets,
            i.telemetry,
            i.mae,
            i.symbol,
            i.exchange,
            i.strategy_id,
            i.strategy_name,
            i.timeframe,
            i.exit_reason,
            i.payload_version,
            i.legacy_payload,
            i.event_timestamp,
            i.event_time_source,
            i.received_at,
            i.event_key,
            i.warnings,
            i.position
        FROM incoming AS i
        ORDER BY i.trade_id, i.event_key
        ON CONFLICT (trade_id, event_key) DO NOTHING
        RETURNING
            automated_signals.trade_id,
            automated_signals.event_key,
            automated_signals.id,
            automated_signals.event_type,
            automated_signals.event_timestamp
    ),

    marked AS (
        INSERT INTO trade_dirty (trade_id, since)
        SELECT
            inserted.trade_id,
            CASE WHEN bool_and(inserted.event_type IS NOT DISTINCT FROM 'POSITION') THEN min(inserted.event_timestamp) END
                AS since
        FROM inserted
        GROUP BY inserted.trade_id
    ),

    queued AS (
        INSERT INTO feed_pending (trade_id, event_id)
        SELECT
            inserted.trade_id,
            inserted.id
        FROM inserted
    )

    SELECT
        inserted.trade_id,
        inserted.event_key,
        inserted.id
    FROM inserted;
END
$store_events$;
