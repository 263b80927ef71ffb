-- name: select_table_exists(name)$
-- A kind of record may belong to a migration that is not applied here.
SELECT to_regclass(:name) IS NOT NULL;

-- name: delete_old_kpis(before, batch)!
-- Measured outcomes past their days, in small batches.
DELETE FROM kpi_event
WHERE kpi_event.id IN (
    SELECT old.id
    FROM kpi_event AS old
    WHERE old.created_at < :before
    ORDER BY old.created_at, old.id
    LIMIT :batch
);

-- name: delete_old_telemetry(before, batch, upto_id)^
-- Telemetry past its days, in small batches, and how many of them had been counted up to an id.
WITH old AS (
    SELECT o.id
    FROM telemetry_events AS o
    WHERE o.created_at < :before
    ORDER BY o.created_at, o.id
    LIMIT :batch
),

gone AS (
    DELETE FROM telemetry_events AS t USING old
    WHERE t.id = old.id
    RETURNING t.id
)

SELECT
    count(*) AS gone,
    count(*) FILTER (WHERE g.id <= :upto_id) AS below
FROM gone AS g;

-- name: delete_old_receipts(before, batch)!
-- Receipts past their days, in small batches.
DELETE FROM receipt
WHERE receipt.id IN (
    SELECT old.id
    FROM receipt AS old
    WHERE old.received_at < :before
    ORDER BY old.received_at, old.id
    LIMIT :batch
);

-- name: delete_old_order_metrics(before, batch)!
-- Records of orders past their days; in the order of an index, which a newer server skips through.
DELETE FROM dd_order_metrics AS t
USING (
    SELECT
        o.profile_id,
        o.id
    FROM dd_order_metrics AS o
    WHERE o.recorded_at < :before
    ORDER BY o.profile_id ASC, o.recorded_at DESC, o.id DESC
    LIMIT :batch
) AS old
WHERE t.profile_id = old.profile_id AND t.id = old.id;

-- name: delete_old_orders(before, batch)!
-- The state of an order goes with the last of its records.
DELETE FROM dd_orders AS t
USING (
    SELECT
        o.profile_id,
        o.order_id
    FROM dd_orders AS o
    WHERE
        o.first_at < :before
        AND NOT EXISTS (
            SELECT 1
            FROM dd_order_metrics AS m
            WHERE m.profile_id = o.profile_id AND m.order_id = o.order_id
        )
    ORDER BY o.profile_id ASC, o.first_at DESC, o.order_id ASC
    LIMIT :batch
) AS old
WHERE t.profile_id = old.profile_id AND t.order_id = old.order_id;

-- name: delete_old_breakout_signals(before, batch)!
-- Breakout signals past their days.
DELETE FROM dd_breakout_signals AS t
USING (
    SELECT
        o.profile_id,
        o.id
    FROM dd_breakout_signals AS o
    WHERE o.recorded_at < :before
    ORDER BY o.profile_id ASC, o.recorded_at DESC, o.id DESC
    LIMIT :batch
) AS old
WHERE t.profile_id = old.profile_id AND t.id = old.id;

-- name: delete_old_api_latency(before, batch)!
-- Latency samples past their days.
DELETE FROM dd_api_latency AS t
USING (
    SELECT
        o.profile_id,
        o.id
    FROM dd_api_latency AS o
    WHERE o.recorded_at < :before
    ORDER BY o.profile_id ASC, o.recorded_at DESC
    LIMIT :batch
) AS old
WHERE t.profile_id = old.profile_id AND t.id = old.id;

-- name: delete_old_system_health(before, batch)!
-- Heartbeats past their days.
DELETE FROM dd_system_health AS t
USING (
    SELECT
        o.profile_id,
        o.id
    FROM dd_system_health AS o
    WHERE o.recorded_at < :before
    ORDER BY o.profile_id ASC, o.script_name ASC, o.recorded_at DESC, o.id DESC
    LIMIT :batch
) AS old
WHERE t.profile_id = old.profile_id AND t.id = old.id;

-- name: delete_old_aggregates(before, batch)!
-- Windows of records that are gone. Those of trades and equity stay, as these do.
DELETE FROM dd_telemetry_metrics AS t
USING (
    SELECT
        o.profile_id,
        o.metric_type,
        o.metric_name,
        o.window_type,
        o.window_start
    FROM dd_telemetry_metrics AS o
    WHERE
        o.window_start < :before
        AND (o.metric_type IN ('order', 'system') OR (o.metric_type = 'breakout' AND o.metric_name = 'signals'))
    ORDER BY o.profile_id, o.window_type, o.window_start
    LIMIT :batch
) AS old
WHERE
    t.profile_id = old.profile_id AND t.metric_type = old.metric_type AND t.metric_name = old.metric_name
    AND t.window_type = old.window_type AND t.window_start = old.window_start;

-- name: delete_old_batches(before, batch)!
-- By these a batch that is sent again is known.
DELETE FROM dd_telemetry_batch AS t
USING (
    SELECT
        o.profile_id,
        o.batch_id
    FROM dd_telemetry_batch AS o
    WHERE o.received_at < :before
    ORDER BY o.received_at
    LIMIT :batch
) AS old
WHERE t.profile_id = old.profile_id AND t.batch_id = old.batch_id;
