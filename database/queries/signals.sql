-- name: insert_events(rows)
-- Stores a group of events in one statement: repeats recognised, what is new marked for the next fold.
-- An alert without a time of its own must first claim its place in the 30 s window.
WITH incoming AS MATERIALIZED (
    SELECT *
    FROM
        jsonb_to_recordset(:rows::jsonb) AS r (
            trade_id TEXT, event_type TEXT, direction TEXT, entry_price NUMERIC, stop_loss NUMERIC,
            risk_distance NUMERIC, target_1r NUMERIC, target_2r NUMERIC, target_3r NUMERIC, target_5r NUMERIC,
            target_10r NUMERIC, target_20r NUMERIC, current_price NUMERIC, mfe NUMERIC, be_mfe NUMERIC,
            no_be_mfe NUMERIC, exit_price NUMERIC, final_mfe NUMERIC, session TEXT, bias TEXT,
            account_size NUMERIC, risk_percent NUMERIC, contracts NUMERIC, risk_amount NUMERIC,
            signal_date DATE, signal_time TIME, targets JSONB, telemetry JSONB, mae NUMERIC, symbol TEXT,
            exchange TEXT, strategy_id TEXT, strategy_name TEXT, timeframe TEXT, exit_reason TEXT,
            payload_version TEXT, legacy_payload JSONB, event_timestamp TIMESTAMPTZ, event_time_source TEXT,
            received_at TIMESTAMPTZ, event_key TEXT, warnings JSONB, position JSONB, body_hash TEXT,
            has_own_time BOOLEAN
        )
),

claimed AS (
    INSERT INTO signal_window AS w (trade_id, body_hash, event_key, received_at)
    SELECT
        i.trade_id,
        i.body_hash,
        i.event_key,
        i.received_at
    FROM incoming AS i
    WHERE NOT i.has_own_time
    ORDER BY i.trade_id, i.body_hash
    ON CONFLICT (trade_id, body_hash) DO UPDATE
        SET
            event_key = CASE WHEN excluded.received_at > w.received_at THEN excluded.event_key ELSE w.event_key END,
            received_at = greatest(excluded.received_at, w.received_at)
        WHERE
        excluded.received_at >= w.received_at + INTERVAL '30 seconds'
        OR excluded.received_at <= w.received_at - INTERVAL '30 seconds'
    RETURNING w.trade_id, w.body_hash
),

inserted AS (
    INSERT INTO automated_signals (
        trade_id, event_type, direction, entry_price, stop_loss, risk_distance, target_1r, target_2r, target_3r,
        target_5r, target_10r, target_20r, current_price, mfe, be_mfe, no_be_mfe, exit_price, final_mfe, session,
        bias, account_size, risk_percent, contracts, risk_amount, signal_date, signal_time, targets, telemetry,
        mae, symbol, exchange, strategy_id, strategy_name, timeframe, exit_reason, payload_version, legacy_payload,
        event_timestamp, event_time_source, received_at, event_key, warnings, position
    )
    SELECT
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
    LEFT JOIN claimed AS c ON i.trade_id = c.trade_id AND i.body_hash = c.body_hash
    WHERE i.has_own_time OR c.trade_id IS NOT NULL
    ORDER BY i.trade_id, i.event_key
    ON CONFLICT (trade_id, event_key) DO NOTHING
    RETURNING automated_signals.trade_id, automated_signals.event_key, automated_signals.id
),

marked AS (
    INSERT INTO trade_dirty (trade_id)
    SELECT DISTINCT inserted.trade_id
    FROM inserted
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

-- name: select_first_events(trade_ids, event_keys, body_hashes)
-- The stored first event of each alert that was a repeat: by its own key, or by the window's.
SELECT
    r.n,
    s.id,
    s.received_at
FROM
    unnest(:trade_ids::text [], :event_keys::text [], :body_hashes::text [])
    WITH ORDINALITY AS r (trade_id, event_key, body_hash, n)
LEFT JOIN signal_window AS w ON r.trade_id = w.trade_id AND r.body_hash = w.body_hash
INNER JOIN automated_signals AS s
    ON r.trade_id = s.trade_id AND coalesce(nullif(w.event_key, ''), r.event_key) = s.event_key;

-- name: delete_old_window(before)!
-- The window only needs its last 30 s; what is older is forgotten in small bites.
DELETE FROM signal_window
WHERE (trade_id, body_hash) IN (
    SELECT
        old.trade_id,
        old.body_hash
    FROM signal_window AS old
    WHERE old.received_at < :before
    ORDER BY old.received_at
    LIMIT 1000
    FOR UPDATE SKIP LOCKED
);

-- name: select_events_for_trades(trade_ids)
-- Everything the fold needs about some trades, whole bodies included.
SELECT *
FROM automated_signals
WHERE automated_signals.trade_id = any(:trade_ids)
ORDER BY automated_signals.trade_id, automated_signals.id;

-- name: select_recent_events(since, limit)
-- The newest alerts by time of receipt.
SELECT *
FROM automated_signals
WHERE automated_signals.received_at >= :since
ORDER BY automated_signals.received_at DESC, automated_signals.id DESC
LIMIT :limit;

-- name: delete_trades(trade_ids)!
-- Removes trades whole, and whatever was derived from them.
WITH gone AS (
    DELETE FROM automated_signals
    WHERE automated_signals.trade_id = any(:trade_ids)
),

forgotten AS (
    DELETE FROM signal_window
    WHERE signal_window.trade_id = any(:trade_ids)
),

unfollowed AS (
    DELETE FROM feed
    WHERE feed.trade_id = any(:trade_ids)
),

unqueued AS (
    DELETE FROM feed_pending
    WHERE feed_pending.trade_id = any(:trade_ids)
)

INSERT INTO trade_dirty (trade_id)
SELECT ids.trade_id
FROM unnest(:trade_ids::text []) AS ids (trade_id);

-- name: select_event(event_id)^
-- One event by its number.
SELECT *
FROM automated_signals
WHERE automated_signals.id = :event_id;

-- name: select_telemetry(schema_version, contains, before_time, before_id, limit)
-- Stored telemetry, newest first, by schema and by what it contains (which the GIN index answers).
SELECT *
FROM automated_signals AS s
WHERE
    s.telemetry IS NOT NULL
    AND (
        :schema_version::text IS NULL
        OR coalesce(s.telemetry ->> 'schema_version', s.telemetry #>> '{attributes,schema_version}') = :schema_version
    )
    AND (:contains::jsonb IS NULL OR s.telemetry @> :contains::jsonb)
    AND (:before_time::timestamptz IS NULL OR (s.received_at, s.id) < (:before_time, :before_id::bigint))
ORDER BY s.received_at DESC, s.id DESC
LIMIT :limit;

-- name: count_events()$
-- How many events are stored.
SELECT count(*)
FROM automated_signals;
