-- name: select_changed_trades(names, profiles, fallback, profile_id, since)
-- Completed alert trades of mapped strategies whose row is missing or was made from an older fold.
WITH mapping AS (
    SELECT
        m.name,
        m.profile_id
    FROM unnest(:names::text [], :profiles::bigint []) AS m (name, profile_id)
),

mapped AS MATERIALIZED (
    SELECT
        s.stream_id,
        s.trade_id,
        s.entry_time,
        s.exit_time,
        coalesce(by_id.profile_id, by_name.profile_id, :fallback::bigint) AS profile_id,
        md5(s.trade::text) AS hash
    FROM trade_summary AS s
    LEFT JOIN mapping AS by_id ON s.strategy_id = by_id.name
    LEFT JOIN mapping AS by_name ON s.strategy = by_name.name
    WHERE s.status = 'COMPLETED' AND (:since::timestamptz IS NULL OR s.trade_time >= :since)
),

known AS MATERIALIZED (
    SELECT
        p.profile_id,
        p.alert_stream_id,
        p.alert_trade_id,
        p.alert_hash,
        p.entry_time
    FROM dd_trade_performance AS p
    WHERE p.source = 'alerts' AND (:profile_id::bigint IS NULL OR p.profile_id = :profile_id)
),

changed AS MATERIALIZED (
    SELECT
        m.stream_id,
        m.trade_id,
        m.entry_time,
        m.exit_time,
        m.profile_id,
        m.hash,
        k.entry_time AS known_entry_time
    FROM mapped AS m
    LEFT JOIN known AS k
        ON m.profile_id = k.profile_id AND m.stream_id = k.alert_stream_id AND m.trade_id = k.alert_trade_id
    WHERE
        m.profile_id IS NOT NULL
        AND (:profile_id::bigint IS NULL OR m.profile_id = :profile_id)
        AND m.hash IS DISTINCT FROM k.alert_hash
),

sizes AS MATERIALIZED (
    SELECT DISTINCT ON (e.trade_id, c.trade_id)
        e.trade_id AS stream_id,
        c.trade_id,
        e.contracts
    FROM automated_signals AS e
    INNER JOIN changed AS c ON e.trade_id = c.stream_id
    WHERE e.contracts IS NOT NULL AND e.event_timestamp >= c.entry_time AND e.event_timestamp <= c.exit_time
    ORDER BY e.trade_id, c.trade_id, e.event_timestamp, e.id
)

SELECT
    c.stream_id,
    c.trade_id,
    t.trade,
    c.profile_id,
    c.hash,
    c.known_entry_time,
    z.contracts AS position_size
FROM trade_summary AS t
INNER JOIN changed AS c ON t.stream_id = c.stream_id AND t.trade_id = c.trade_id
LEFT JOIN sizes AS z ON t.stream_id = z.stream_id AND t.trade_id = z.trade_id
ORDER BY c.profile_id, c.stream_id, c.trade_id;

-- name: upsert_alert_trades(rows, now)!
-- Sorted by their key, so that two readers that derive the same rows cannot deadlock.
INSERT INTO dd_trade_performance (
    profile_id, symbol, trade_type, side, entry_price, exit_price, quantity, multiplier, pnl, pnl_pct, signal_price,
    slippage, entry_time, exit_time, duration_seconds, direction, exit_reason, metadata, source, alert_stream_id,
    alert_trade_id, alert_hash, created_at
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
    r.direction,
    r.exit_reason,
    r.metadata,
    'alerts' AS source,
    r.alert_stream_id,
    r.alert_trade_id,
    r.alert_hash,
    :now AS created_at
FROM
    json_to_recordset(:rows::json) AS r (
        profile_id BIGINT, symbol TEXT, trade_type TEXT, side TEXT, entry_price NUMERIC, exit_price NUMERIC,
        quantity NUMERIC, multiplier NUMERIC, pnl NUMERIC, pnl_pct NUMERIC, signal_price NUMERIC, slippage NUMERIC,
        entry_time TIMESTAMPTZ, exit_time TIMESTAMPTZ, duration_seconds NUMERIC, direction TEXT, exit_reason TEXT,
        metadata JSONB, alert_stream_id TEXT, alert_trade_id TEXT, alert_hash TEXT
    )
ORDER BY r.profile_id, r.alert_stream_id, r.alert_trade_id
ON CONFLICT (profile_id, alert_stream_id, alert_trade_id) DO UPDATE SET
    symbol = excluded.symbol,
    side = excluded.side,
    entry_price = excluded.entry_price,
    exit_price = excluded.exit_price,
    quantity = excluded.quantity,
    multiplier = excluded.multiplier,
    pnl = excluded.pnl,
    pnl_pct = excluded.pnl_pct,
    entry_time = excluded.entry_time,
    exit_time = excluded.exit_time,
    duration_seconds = excluded.duration_seconds,
    direction = excluded.direction,
    exit_reason = excluded.exit_reason,
    metadata = excluded.metadata,
    alert_hash = excluded.alert_hash;

-- name: select_withdrawn_trades(names, profiles, fallback, profile_id, since)
-- Rows whose trade is no longer completed, no longer there, or no longer this profile's; in the order of their lock.
WITH mapping AS (
    SELECT
        m.name,
        m.profile_id
    FROM unnest(:names::text [], :profiles::bigint []) AS m (name, profile_id)
),

known AS MATERIALIZED (
    SELECT
        p.profile_id,
        p.id,
        p.entry_time,
        p.alert_stream_id,
        p.alert_trade_id
    FROM dd_trade_performance AS p
    WHERE
        p.source = 'alerts'
        AND (:profile_id::bigint IS NULL OR p.profile_id = :profile_id)
        AND (:since::timestamptz IS NULL OR p.entry_time >= :since)
),

living AS MATERIALIZED (
    SELECT
        k.id,
        coalesce(by_id.profile_id, by_name.profile_id, :fallback::bigint) AS profile_id
    FROM trade_summary AS s
    INNER JOIN known AS k ON s.stream_id = k.alert_stream_id AND s.trade_id = k.alert_trade_id
    LEFT JOIN mapping AS by_id ON s.strategy_id = by_id.name
    LEFT JOIN mapping AS by_name ON s.strategy = by_name.name
    WHERE s.status = 'COMPLETED'
)

SELECT
    k.profile_id,
    k.id,
    k.entry_time
FROM known AS k
LEFT JOIN living AS v ON k.id = v.id
WHERE v.id IS NULL OR k.profile_id IS DISTINCT FROM v.profile_id
ORDER BY k.profile_id, k.id;

-- name: delete_alert_trades(profile_ids, ids)!
-- Only rows that were derived from alerts: what scripts recorded is never removed.
DELETE FROM dd_trade_performance AS p
USING unnest(:profile_ids::bigint [], :ids::bigint []) WITH ORDINALITY AS gone (profile_id, id, n)
WHERE p.profile_id = gone.profile_id AND p.id = gone.id AND p.source = 'alerts';
