-- name: insert_batches(rows)
-- A profile's part of a batch is claimed once; a second sender of it waits here, then finds it taken.
INSERT INTO dd_telemetry_batch (profile_id, batch_id, body_hash, accepted, received_at)
SELECT
    r.profile_id,
    r.batch_id,
    r.body_hash,
    r.accepted,
    r.received_at
FROM
    json_to_recordset(:rows::json) AS r (
        profile_id BIGINT, batch_id TEXT, body_hash TEXT, accepted INTEGER, received_at TIMESTAMPTZ
    )
ORDER BY r.profile_id
ON CONFLICT (profile_id, batch_id) DO NOTHING
RETURNING profile_id;

-- name: select_batches(profile_ids, batch_id)
-- What an earlier delivery of the same batch stored.
SELECT
    b.profile_id,
    b.body_hash,
    b.accepted
FROM dd_telemetry_batch AS b
WHERE b.profile_id = any(:profile_ids) AND b.batch_id = :batch_id;

-- name: insert_signals(rows, now)!
-- Breakout signals of one batch.
INSERT INTO dd_breakout_signals (
    profile_id, recorded_at, symbol, direction, bar_strength, close_price, candle_size, volume, metadata, created_at
)
SELECT
    r.profile_id,
    r.recorded_at,
    r.symbol,
    r.direction,
    r.bar_strength,
    r.close_price,
    r.candle_size,
    r.volume,
    r.metadata,
    :now AS created_at
FROM
    json_to_recordset(:rows::json) AS r (
        profile_id BIGINT, recorded_at TIMESTAMPTZ, symbol TEXT, direction TEXT, bar_strength NUMERIC,
        close_price NUMERIC, candle_size NUMERIC, volume NUMERIC, metadata JSONB
    );

-- name: insert_outcomes(rows, now)!
-- Closed trades that scripts record.
INSERT INTO dd_trade_performance (
    profile_id, symbol, trade_type, side, entry_price, exit_price, quantity, multiplier, pnl, pnl_pct, signal_price,
    slippage, entry_time, exit_time, duration_seconds, bar_strength, direction, exit_reason, metadata, source,
    created_at
)
SELECT
    r.profile_id,
    r.symbol,
    r.trade_type,
    r.side,
    r.entry_price,
    r.exit_price,
    r.quantity,
    r.multiplier,
    r.pnl,
    r.pnl_pct,
    r.signal_price,
    r.slippage,
    r.entry_time,
    r.exit_time,
    r.duration_seconds,
    r.bar_strength,
    r.direction,
    r.exit_reason,
    r.metadata,
    'telemetry' AS source,
    :now AS created_at
FROM
    json_to_recordset(:rows::json) AS r (
        profile_id BIGINT, symbol TEXT, trade_type TEXT, side TEXT, entry_price NUMERIC, exit_price NUMERIC,
        quantity NUMERIC, multiplier NUMERIC, pnl NUMERIC, pnl_pct NUMERIC, signal_price NUMERIC, slippage NUMERIC,
        entry_time TIMESTAMPTZ, exit_time TIMESTAMPTZ, duration_seconds NUMERIC, bar_strength NUMERIC,
        direction TEXT, exit_reason TEXT, metadata JSONB
    );

-- name: insert_equity_points(rows, now)!
-- Equity points of one batch.
INSERT INTO dd_equity_points (
    profile_id, recorded_at, account_equity, unrealized_pnl, realized_pnl, margin_used, margin_available,
    open_positions_count, metadata, created_at
)
SELECT
    r.profile_id,
    r.recorded_at,
    r.account_equity,
    r.unrealized_pnl,
    r.realized_pnl,
    r.margin_used,
    r.margin_available,
    r.open_positions_count,
    r.metadata,
    :now AS created_at
FROM
    json_to_recordset(:rows::json) AS r (
        profile_id BIGINT, recorded_at TIMESTAMPTZ, account_equity NUMERIC, unrealized_pnl NUMERIC,
        realized_pnl NUMERIC, margin_used NUMERIC, margin_available NUMERIC, open_positions_count INTEGER,
        metadata JSONB
    );

-- name: insert_order_metrics(rows, now)!
-- Order records of one batch, as they came.
INSERT INTO dd_order_metrics (
    profile_id, recorded_at, order_id, script_name, symbol, order_type, side, status, quantity, limit_price,
    filled_price, filled_quantity, slippage, api_latency_ms, metadata, created_at
)
SELECT
    r.profile_id,
    r.recorded_at,
    r.order_id,
    r.script_name,
    r.symbol,
    r.order_type,
    r.side,
    r.status,
    r.quantity,
    r.limit_price,
    r.filled_price,
    r.filled_quantity,
    r.slippage,
    r.api_latency_ms,
    r.metadata,
    :now AS created_at
FROM
    json_to_recordset(:rows::json) AS r (
        profile_id BIGINT, recorded_at TIMESTAMPTZ, order_id TEXT, script_name TEXT, symbol TEXT, order_type TEXT,
        side TEXT, status TEXT, quantity NUMERIC, limit_price NUMERIC, filled_price NUMERIC,
        filled_quantity NUMERIC, slippage NUMERIC, api_latency_ms NUMERIC, metadata JSONB
    );

-- name: upsert_orders(rows)!
-- The latest state of each order: by time, then rank, then name, so that every order of arrival ends alike.
-- Rows come one per order and sorted, so that two batches cannot deadlock.
INSERT INTO dd_orders AS o (
    profile_id, order_id, script_name, script_at, status, status_rank, status_at, first_at, opened_at, filled_at,
    slippage, slippage_at
)
SELECT
    r.profile_id,
    r.order_id,
    r.script_name,
    r.script_at,
    r.status,
    r.status_rank,
    r.status_at,
    r.first_at,
    r.opened_at,
    r.filled_at,
    r.slippage,
    r.slippage_at
FROM
    json_to_recordset(:rows::json) AS r (
        profile_id BIGINT, order_id TEXT, script_name TEXT, script_at TIMESTAMPTZ, status TEXT, status_rank SMALLINT,
        status_at TIMESTAMPTZ, first_at TIMESTAMPTZ, opened_at TIMESTAMPTZ, filled_at TIMESTAMPTZ,
        slippage NUMERIC, slippage_at TIMESTAMPTZ
    )
ORDER BY r.profile_id, r.order_id
ON CONFLICT (profile_id, order_id) DO UPDATE SET
    script_name = CASE
        WHEN o.script_at IS NULL OR (o.script_at, o.script_name) < (excluded.script_at, excluded.script_name)
            THEN excluded.script_name
        ELSE o.script_name
    END,
    script_at = greatest(o.script_at, excluded.script_at),
    status = CASE
        WHEN (o.status_at, o.status_rank) < (excluded.status_at, excluded.status_rank) THEN excluded.status
        ELSE o.status
    END,
    status_rank = CASE
        WHEN (o.status_at, o.status_rank) < (excluded.status_at, excluded.status_rank) THEN excluded.status_rank
        ELSE o.status_rank
    END,
    status_at = greatest(o.status_at, excluded.status_at),
    first_at = least(o.first_at, excluded.first_at),
    opened_at = least(o.opened_at, excluded.opened_at),
    filled_at = least(o.filled_at, excluded.filled_at),
    slippage = CASE
        WHEN o.slippage_at IS NULL OR (o.slippage_at, o.slippage) < (excluded.slippage_at, excluded.slippage)
            THEN excluded.slippage
        ELSE o.slippage
    END,
    slippage_at = greatest(o.slippage_at, excluded.slippage_at);

-- name: insert_latencies(rows, now)!
-- Latencies of API calls, also of those that placed orders.
INSERT INTO dd_api_latency (profile_id, recorded_at, script_name, latency_ms, created_at)
SELECT
    r.profile_id,
    r.recorded_at,
    r.script_name,
    r.latency_ms,
    :now AS created_at
FROM
    json_to_recordset(:rows::json) AS r (
        profile_id BIGINT, recorded_at TIMESTAMPTZ, script_name TEXT, latency_ms NUMERIC
    );

-- name: insert_health(rows, now)!
-- What scripts say of their own health.
INSERT INTO dd_system_health (
    profile_id, recorded_at, script_name, status, api_latency_avg_ms, rate_limit_remaining, rate_limit_limit,
    error_count, warning_count, metadata, created_at
)
SELECT
    r.profile_id,
    r.recorded_at,
    r.script_name,
    r.status,
    r.api_latency_avg_ms,
    r.rate_limit_remaining,
    r.rate_limit_limit,
    r.error_count,
    r.warning_count,
    r.metadata,
    :now AS created_at
FROM
    json_to_recordset(:rows::json) AS r (
        profile_id BIGINT, recorded_at TIMESTAMPTZ, script_name TEXT, status TEXT, api_latency_avg_ms NUMERIC,
        rate_limit_remaining BIGINT, rate_limit_limit BIGINT, error_count BIGINT, warning_count BIGINT,
        metadata JSONB
    );

-- name: insert_dirty_hours(profile_ids, hours)!
-- Marks the hours whose aggregates must be computed again.
INSERT INTO dd_telemetry_dirty (profile_id, hour)
SELECT
    marks.profile_id,
    marks.hour
FROM unnest(:profile_ids::bigint [], :hours::timestamptz []) AS marks (profile_id, hour);
