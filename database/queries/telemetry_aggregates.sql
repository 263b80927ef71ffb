-- name: select_dirty_hours(limit)
-- Marks as seen before the rows are read: exactly these are removed afterwards.
SELECT
    d.profile_id,
    d.seq,
    d.hour
FROM dd_telemetry_dirty AS d
ORDER BY d.profile_id, d.seq
LIMIT :limit;

-- name: delete_dirty_hours(profile_ids, seqs)!
-- Removes the marks that this run has dealt with; marks made since then stay.
DELETE FROM dd_telemetry_dirty AS d
USING unnest(:profile_ids::bigint [], :seqs::bigint []) WITH ORDINALITY AS seen (profile_id, seq, n)
WHERE d.profile_id = seen.profile_id AND d.seq = seen.seq;

-- name: lock_aggregates()^
-- One run at a time computes aggregates; a second one waits here and then reads what the first left.
SELECT pg_advisory_xact_lock(1097622105, 0);

-- name: delete_windows(profile_ids, window_types, starts)!
-- A window is computed whole: what it had is gone first, also where nothing is left to measure.
DELETE FROM dd_telemetry_metrics AS m
USING
    unnest(:profile_ids::bigint [], :window_types::text [], :starts::timestamptz [])
    WITH ORDINALITY AS w (profile_id, window_type, window_start, n)
WHERE
    m.profile_id = w.profile_id
    AND m.window_type = w.window_type
    AND m.window_start = w.window_start;

-- name: insert_trade_metrics(profile_ids, window_types, starts, ends, now)!
-- Closed trades by the hour or day of their entry.
WITH summed AS (
    SELECT
        w.profile_id,
        w.window_type,
        w.window_start,
        w.window_end,
        count(*) AS trades,
        count(*) FILTER (WHERE t.pnl > 0) AS wins,
        sum(t.pnl) AS total,
        count(t.slippage) AS slippages,
        sum(t.slippage) AS slippage_total
    FROM
        unnest(:profile_ids::bigint [], :window_types::text [], :starts::timestamptz [], :ends::timestamptz [])
        WITH ORDINALITY AS w (profile_id, window_type, window_start, window_end, n)
    INNER JOIN dd_trade_performance AS t
        ON w.profile_id = t.profile_id AND w.window_start <= t.entry_time AND w.window_end > t.entry_time
    GROUP BY w.profile_id, w.window_type, w.window_start, w.window_end
)

INSERT INTO dd_telemetry_metrics (
    profile_id, metric_type, metric_name, window_type, window_start, window_end, metric_value, sample_count,
    computed_at
)
SELECT
    s.profile_id,
    'breakout' AS metric_type,
    v.metric_name,
    s.window_type,
    s.window_start,
    s.window_end,
    v.metric_value,
    v.sample_count,
    :now AS computed_at
FROM summed AS s
CROSS JOIN
    LATERAL (
        VALUES
        ('trades', s.trades::numeric, s.trades),
        ('wins', s.wins::numeric, s.trades),
        ('total_pnl', s.total, s.trades),
        ('avg_pnl', s.total / s.trades, s.trades),
        ('success_rate', s.wins * 100::numeric / s.trades, s.trades),
        ('avg_slippage', s.slippage_total / nullif(s.slippages, 0), s.slippages)
    ) AS v (metric_name, metric_value, sample_count)
WHERE v.metric_value IS NOT NULL;

-- name: insert_signal_metrics(profile_ids, window_types, starts, ends, now)!
-- Breakout signals by the hour or day they were seen.
INSERT INTO dd_telemetry_metrics (
    profile_id, metric_type, metric_name, window_type, window_start, window_end, metric_value, sample_count,
    computed_at
)
SELECT
    w.profile_id,
    'breakout' AS metric_type,
    'signals' AS metric_name,
    w.window_type,
    w.window_start,
    w.window_end,
    count(*) AS metric_value,
    count(*) AS sample_count,
    :now AS computed_at
FROM
    unnest(:profile_ids::bigint [], :window_types::text [], :starts::timestamptz [], :ends::timestamptz [])
    WITH ORDINALITY AS w (profile_id, window_type, window_start, window_end, n)
INNER JOIN dd_breakout_signals AS t
    ON w.profile_id = t.profile_id AND w.window_start <= t.recorded_at AND w.window_end > t.recorded_at
GROUP BY w.profile_id, w.window_type, w.window_start, w.window_end;

-- name: insert_equity_metrics(profile_ids, window_types, starts, ends, now)!
-- Equity of the window: last, highest, lowest, and the largest fall from a running peak within it.
WITH points AS (
    SELECT
        w.profile_id,
        w.window_type,
        w.window_start,
        w.window_end,
        t.account_equity,
        max(t.account_equity) OVER running AS peak,
        row_number() OVER backwards AS place
    FROM
        unnest(:profile_ids::bigint [], :window_types::text [], :starts::timestamptz [], :ends::timestamptz [])
        WITH ORDINALITY AS w (profile_id, window_type, window_start, window_end, n)
    INNER JOIN dd_equity_points AS t
        ON w.profile_id = t.profile_id AND w.window_start <= t.recorded_at AND w.window_end > t.recorded_at
    WINDOW
        running AS (
            PARTITION BY w.profile_id, w.window_type, w.window_start
            ORDER BY t.recorded_at, t.id ROWS UNBOUNDED PRECEDING
        ),
        backwards AS (
            PARTITION BY w.profile_id, w.window_type, w.window_start
            ORDER BY t.recorded_at DESC, t.id DESC
        )
),

summed AS (
    SELECT
        p.profile_id,
        p.window_type,
        p.window_start,
        p.window_end,
        count(*) AS points,
        max(p.account_equity) FILTER (WHERE p.place = 1) AS last_equity,
        max(p.account_equity) AS high,
        min(p.account_equity) AS low,
        max(p.peak - p.account_equity) AS fall,
        max((p.peak - p.account_equity) * 100 / nullif(greatest(p.peak, 0), 0)) AS fall_pct
    FROM points AS p
    GROUP BY p.profile_id, p.window_type, p.window_start, p.window_end
)

INSERT INTO dd_telemetry_metrics (
    profile_id, metric_type, metric_name, window_type, window_start, window_end, metric_value, sample_count,
    computed_at
)
SELECT
    s.profile_id,
    'equity' AS metric_type,
    v.metric_name,
    s.window_type,
    s.window_start,
    s.window_end,
    v.metric_value,
    s.points AS sample_count,
    :now AS computed_at
FROM summed AS s
CROSS JOIN
    LATERAL (
        VALUES
        ('last_equity', s.last_equity),
        ('high', s.high),
        ('low', s.low),
        ('max_drawdown', s.fall),
        ('max_drawdown_pct', s.fall_pct)
    ) AS v (metric_name, metric_value)
WHERE v.metric_value IS NOT NULL;

-- name: insert_order_metrics(profile_ids, window_types, starts, ends, now)!
-- Order records of the window by their status, orders counted once per status.
INSERT INTO dd_telemetry_metrics (
    profile_id, metric_type, metric_name, window_type, window_start, window_end, metric_value, sample_count,
    computed_at
)
SELECT
    w.profile_id,
    'order' AS metric_type,
    t.status || '_orders' AS metric_name,
    w.window_type,
    w.window_start,
    w.window_end,
    count(DISTINCT t.order_id) AS metric_value,
    count(*) AS sample_count,
    :now AS computed_at
FROM
    unnest(:profile_ids::bigint [], :window_types::text [], :starts::timestamptz [], :ends::timestamptz [])
    WITH ORDINALITY AS w (profile_id, window_type, window_start, window_end, n)
INNER JOIN dd_order_metrics AS t
    ON w.profile_id = t.profile_id AND w.window_start <= t.recorded_at AND w.window_end > t.recorded_at
WHERE t.order_id IS NOT NULL
GROUP BY w.profile_id, w.window_type, w.window_start, w.window_end, t.status;

-- name: insert_latency_metrics(profile_ids, window_types, starts, ends, now)!
-- API latency of all scripts together, every call counting once.
WITH summed AS (
    SELECT
        w.profile_id,
        w.window_type,
        w.window_start,
        w.window_end,
        count(*) AS calls,
        avg(t.latency_ms) AS average,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY t.latency_ms) AS p50,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY t.latency_ms) AS p95,
        percentile_disc(0.99) WITHIN GROUP (ORDER BY t.latency_ms) AS p99
    FROM
        unnest(:profile_ids::bigint [], :window_types::text [], :starts::timestamptz [], :ends::timestamptz [])
        WITH ORDINALITY AS w (profile_id, window_type, window_start, window_end, n)
    INNER JOIN dd_api_latency AS t
        ON w.profile_id = t.profile_id AND w.window_start <= t.recorded_at AND w.window_end > t.recorded_at
    GROUP BY w.profile_id, w.window_type, w.window_start, w.window_end
)

INSERT INTO dd_telemetry_metrics (
    profile_id, metric_type, metric_name, window_type, window_start, window_end, metric_value, sample_count,
    computed_at
)
SELECT
    s.profile_id,
    'system' AS metric_type,
    v.metric_name,
    s.window_type,
    s.window_start,
    s.window_end,
    v.metric_value,
    s.calls AS sample_count,
    :now AS computed_at
FROM summed AS s
CROSS JOIN LATERAL (
    VALUES
    ('api_calls', s.calls::numeric),
    ('api_latency_avg_ms', s.average),
    ('api_latency_p50_ms', s.p50),
    ('api_latency_p95_ms', s.p95),
    ('api_latency_p99_ms', s.p99)
) AS v (metric_name, metric_value);

-- name: insert_health_metrics(profile_ids, window_types, starts, ends, now)!
-- Health records of the window: how many, and the share of them that said healthy.
WITH summed AS (
    SELECT
        w.profile_id,
        w.window_type,
        w.window_start,
        w.window_end,
        count(*) AS records,
        count(*) FILTER (WHERE t.status = 'healthy') AS healthy,
        max(t.error_count) AS errors
    FROM
        unnest(:profile_ids::bigint [], :window_types::text [], :starts::timestamptz [], :ends::timestamptz [])
        WITH ORDINALITY AS w (profile_id, window_type, window_start, window_end, n)
    INNER JOIN dd_system_health AS t
        ON w.profile_id = t.profile_id AND w.window_start <= t.recorded_at AND w.window_end > t.recorded_at
    GROUP BY w.profile_id, w.window_type, w.window_start, w.window_end
)

INSERT INTO dd_telemetry_metrics (
    profile_id, metric_type, metric_name, window_type, window_start, window_end, metric_value, sample_count,
    computed_at
)
SELECT
    s.profile_id,
    'system' AS metric_type,
    v.metric_name,
    s.window_type,
    s.window_start,
    s.window_end,
    v.metric_value,
    s.records AS sample_count,
    :now AS computed_at
FROM summed AS s
CROSS JOIN LATERAL (
    VALUES
    ('health_records', s.records::numeric),
    ('healthy_pct', s.healthy * 100::numeric / s.records),
    ('max_error_count', s.errors::numeric)
) AS v (metric_name, metric_value);
