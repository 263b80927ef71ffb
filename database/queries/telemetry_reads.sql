-- name: select_performance(profile_id, since)^
-- Exact sums of every trade of the window; the fall is that of the running P&L, by time of exit, from its peak.
WITH curve AS (
    SELECT
        t.pnl,
        t.exit_time,
        t.id,
        sum(t.pnl) OVER running AS total
    FROM dd_trade_performance AS t
    WHERE t.profile_id = :profile_id AND t.entry_time >= :since
    WINDOW running AS (ORDER BY t.exit_time, t.id ROWS UNBOUNDED PRECEDING)
),

falls AS (
    SELECT
        c.pnl,
        greatest(0, max(c.total) OVER (ORDER BY c.exit_time, c.id ROWS UNBOUNDED PRECEDING)) - c.total AS fall
    FROM curve AS c
)

SELECT
    count(*) AS trades,
    count(*) FILTER (WHERE f.pnl > 0) AS wins,
    count(*) FILTER (WHERE f.pnl < 0) AS losses,
    sum(f.pnl) AS total,
    sum(f.pnl) FILTER (WHERE f.pnl > 0) AS gross_profit,
    sum(f.pnl) FILTER (WHERE f.pnl < 0) AS gross_loss,
    sum(f.pnl * f.pnl) AS squares,
    sum(f.pnl * f.pnl) FILTER (WHERE f.pnl < 0) AS loss_squares,
    max(f.fall) AS max_drawdown
FROM falls AS f;

-- name: select_breakouts(profile_id, since)
-- Exact sums of breakout trades: all together, per reason of the exit, and per UTC hour of the entry. Every trade is
-- added once, to its reason and hour; the rest is sums of these few sums.
WITH cells AS (
    SELECT
        p.exit_reason,
        extract(HOUR FROM p.entry_time AT TIME ZONE 'UTC')::integer AS hour,
        count(*) AS trades,
        count(*) FILTER (WHERE p.pnl > 0) AS wins,
        count(*) FILTER (WHERE p.pnl < 0) AS losses,
        sum(p.pnl) FILTER (WHERE p.pnl > 0) AS gross_profit,
        sum(p.pnl) FILTER (WHERE p.pnl < 0) AS gross_loss,
        count(p.slippage) AS slippages,
        sum(p.slippage) AS slippage_total
    FROM dd_trade_performance AS p
    WHERE p.profile_id = :profile_id AND p.entry_time >= :since AND p.trade_type = 'breakout'
    GROUP BY p.exit_reason, 2
)

SELECT
    c.exit_reason,
    c.hour,
    grouping(c.exit_reason) = 0 AS is_reason,
    grouping(c.hour) = 0 AS is_hour,
    coalesce(sum(c.trades), 0)::bigint AS trades,
    coalesce(sum(c.wins), 0)::bigint AS wins,
    coalesce(sum(c.losses), 0)::bigint AS losses,
    sum(c.gross_profit) AS gross_profit,
    sum(c.gross_loss) AS gross_loss,
    coalesce(sum(c.slippages), 0)::bigint AS slippages,
    sum(c.slippage_total) AS slippage_total
FROM cells AS c
GROUP BY GROUPING SETS ((), (c.exit_reason), (c.hour))
ORDER BY c.hour ASC, trades DESC, c.exit_reason ASC;

-- name: count_signals(profile_id, since)$
-- Signals recorded in the window, whether a trade followed or not.
SELECT count(*)
FROM dd_breakout_signals AS s
WHERE s.profile_id = :profile_id AND s.recorded_at >= :since;

-- name: select_latest_equity(profile_id)^
-- The newest equity point, however old.
SELECT
    e.recorded_at,
    e.account_equity,
    e.unrealized_pnl,
    e.realized_pnl,
    e.margin_used
FROM dd_equity_points AS e
WHERE e.profile_id = :profile_id
ORDER BY e.recorded_at DESC, e.id DESC
LIMIT 1;

-- name: select_equity_span(profile_id, since)^
-- How many equity points the window has, and between which times.
SELECT
    count(*) AS points,
    min(e.recorded_at) AS first_at,
    max(e.recorded_at) AS last_at
FROM dd_equity_points AS e
WHERE e.profile_id = :profile_id AND e.recorded_at >= :since;

-- name: select_equity_points(profile_id, since)
-- Every point of the window with its running peak and its fall from it.
WITH run AS (
    SELECT
        e.recorded_at,
        e.id,
        e.account_equity,
        max(e.account_equity) OVER (ORDER BY e.recorded_at, e.id ROWS UNBOUNDED PRECEDING) AS peak
    FROM dd_equity_points AS e
    WHERE e.profile_id = :profile_id AND e.recorded_at >= :since
)

SELECT
    r.recorded_at,
    r.account_equity,
    r.peak,
    r.account_equity AS low,
    r.account_equity AS high,
    r.peak - r.account_equity AS fall,
    (r.peak - r.account_equity) * 100 / nullif(greatest(r.peak, 0), 0) AS fall_pct
FROM run AS r
ORDER BY r.recorded_at, r.id;

-- name: select_equity_stretches(profile_id, starts, ends)
-- The same for many points, by stretches of time. Where a stretch sets no new peak all of it lies below the one
-- before, so its low tells its fall; only where it sets one each of its points is held against the peak so far.
WITH spans AS (
    SELECT
        given.start_at,
        given.end_at
    FROM unnest(:starts::timestamptz [], :ends::timestamptz []) AS given (start_at, end_at)
),

cells AS MATERIALIZED (
    SELECT
        s.start_at,
        s.end_at,
        c.recorded_at,
        c.low,
        c.high
    FROM spans AS s
    CROSS JOIN
        LATERAL (
            SELECT
                max(e.recorded_at) AS recorded_at,
                min(e.account_equity) AS low,
                max(e.account_equity) AS high
            FROM dd_equity_points AS e
            WHERE e.profile_id = :profile_id AND e.recorded_at >= s.start_at AND e.recorded_at < s.end_at
        ) AS c
    WHERE c.recorded_at IS NOT NULL
),

peaks AS (
    SELECT
        c.*,
        max(c.high) OVER (ORDER BY c.start_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM cells AS c
),

risen AS (
    SELECT
        p.start_at,
        max(r.peak - r.account_equity) AS fall,
        max((r.peak - r.account_equity) * 100 / nullif(greatest(r.peak, 0), 0)) AS fall_pct
    FROM peaks AS p
    CROSS JOIN
        LATERAL (
            SELECT
                e.account_equity,
                greatest(
                    p.before, max(e.account_equity) OVER (ORDER BY e.recorded_at, e.id ROWS UNBOUNDED PRECEDING)
                ) AS peak
            FROM dd_equity_points AS e
            WHERE e.profile_id = :profile_id AND e.recorded_at >= p.start_at AND e.recorded_at < p.end_at
        ) AS r
    WHERE p.before IS NULL OR p.high > p.before
    GROUP BY p.start_at
)

SELECT
    p.recorded_at,
    latest.account_equity,
    p.low,
    p.high,
    greatest(p.before, p.high) AS peak,
    coalesce(r.fall, p.before - p.low) AS fall,
    CASE
        WHEN r.start_at IS NULL THEN (p.before - p.low) * 100 / nullif(greatest(p.before, 0), 0)
        ELSE r.fall_pct
    END AS fall_pct
FROM peaks AS p
LEFT JOIN risen AS r ON p.start_at = r.start_at
CROSS JOIN
    LATERAL (
        SELECT e.account_equity
        FROM dd_equity_points AS e
        WHERE e.profile_id = :profile_id AND e.recorded_at = p.recorded_at
        ORDER BY e.id DESC
        LIMIT 1
    ) AS latest
ORDER BY p.start_at;

-- name: select_orders(profile_id, script, since)^
-- Orders first seen in the window, each in its latest state.
SELECT
    count(*) AS total_orders,
    count(*) FILTER (WHERE o.status = 'filled') AS filled_orders,
    count(*) FILTER (WHERE o.status = 'canceled') AS canceled_orders,
    count(*) FILTER (WHERE o.status = 'expired') AS expired_orders,
    count(*) FILTER (WHERE o.status = 'converted') AS converted_orders,
    count(*) FILTER (WHERE o.status = 'rejected') AS rejected_orders,
    count(*) FILTER (WHERE o.status IN ('pending', 'partially_filled')) AS open_orders,
    count(o.slippage) AS slippages,
    sum(o.slippage) AS slippage_total,
    count(*) FILTER (WHERE o.filled_at >= o.opened_at) AS timed_fills,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY o.filled_at - o.opened_at)
    FILTER (WHERE o.filled_at >= o.opened_at) AS fill_p50,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY o.filled_at - o.opened_at)
    FILTER (WHERE o.filled_at >= o.opened_at) AS fill_p95
FROM dd_orders AS o
WHERE
    o.profile_id = :profile_id
    AND o.first_at >= :since
    AND (:script::text IS NULL OR o.script_name = :script);

-- name: select_latency_sums(profile_id, script, since)^
-- Every API call of the window counts once.
SELECT
    count(*) AS samples,
    sum(l.latency_ms) AS total
FROM dd_api_latency AS l
WHERE
    l.profile_id = :profile_id
    AND l.recorded_at >= :since
    AND (:script::text IS NULL OR l.script_name = :script);

-- name: count_unnamed_orders(profile_id, script, since)$
-- Records that name no order and so belong to none.
SELECT count(*)
FROM dd_order_metrics AS m
WHERE
    m.profile_id = :profile_id
    AND m.recorded_at >= :since
    AND m.order_id IS NULL
    AND (:script::text IS NULL OR m.script_name = :script);

-- name: select_scripts(profile_id)
-- Every script that was ever seen, by jumping from name to name along the indexes.
WITH RECURSIVE healthy AS (
    (
        SELECT h.script_name
        FROM dd_system_health AS h
        WHERE h.profile_id = :profile_id
        ORDER BY h.script_name
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT h.script_name
        FROM dd_system_health AS h
        WHERE h.profile_id = :profile_id AND h.script_name > s.script_name
        ORDER BY h.script_name
        LIMIT 1
    )
    FROM healthy AS s
    WHERE s.script_name IS NOT NULL
),

measured AS (
    (
        SELECT l.script_name
        FROM dd_api_latency AS l
        WHERE l.profile_id = :profile_id
        ORDER BY l.script_name
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT l.script_name
        FROM dd_api_latency AS l
        WHERE l.profile_id = :profile_id AND l.script_name > s.script_name
        ORDER BY l.script_name
        LIMIT 1
    )
    FROM measured AS s
    WHERE s.script_name IS NOT NULL
)

SELECT u.script_name
FROM (
    SELECT healthy.script_name FROM healthy
    UNION
    SELECT measured.script_name FROM measured
) AS u
WHERE u.script_name IS NOT NULL
ORDER BY u.script_name;

-- name: select_latest_health(profile_id, script)^
-- What a script last said of its health.
SELECT
    h.recorded_at,
    h.status,
    h.api_latency_avg_ms,
    h.rate_limit_remaining,
    h.rate_limit_limit,
    h.error_count,
    h.warning_count
FROM dd_system_health AS h
WHERE h.profile_id = :profile_id AND h.script_name = :script
ORDER BY h.recorded_at DESC, h.id DESC
LIMIT 1;

-- name: select_last_latency(profile_id, script)$
-- When a script last made an API call.
SELECT l.recorded_at
FROM dd_api_latency AS l
WHERE l.profile_id = :profile_id AND l.script_name = :script
ORDER BY l.recorded_at DESC
LIMIT 1;

-- name: select_latency_percentiles(profile_id, script, since)^
-- Values that occurred: the smallest that so large a share of the samples does not exceed.
SELECT
    percentile_disc(0.5) WITHIN GROUP (ORDER BY l.latency_ms) AS p50,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY l.latency_ms) AS p95,
    percentile_disc(0.99) WITHIN GROUP (ORDER BY l.latency_ms) AS p99
FROM dd_api_latency AS l
WHERE l.profile_id = :profile_id AND l.script_name = :script AND l.recorded_at >= :since;

-- name: select_latencies(profile_id, script, since, limit)
-- The samples themselves, to fill the hot store again.
SELECT
    l.id,
    l.recorded_at,
    l.latency_ms
FROM dd_api_latency AS l
WHERE l.profile_id = :profile_id AND l.script_name = :script AND l.recorded_at >= :since
ORDER BY l.recorded_at DESC
LIMIT :limit;

-- name: select_performance_rows(profile_id, since, symbol, before_time, before_id, limit)
-- A page of closed trades, newest entry first.
SELECT
    t.id,
    t.profile_id,
    t.symbol,
    t.trade_type,
    t.side,
    t.entry_price,
    t.exit_price,
    t.quantity,
    t.multiplier,
    t.pnl,
    t.pnl_pct,
    t.signal_price,
    t.slippage,
    t.entry_time,
    t.exit_time,
    t.duration_seconds,
    t.bar_strength,
    t.direction,
    t.exit_reason,
    t.metadata,
    t.source,
    t.created_at
FROM dd_trade_performance AS t
WHERE
    t.profile_id = :profile_id
    AND t.entry_time >= :since
    AND (:symbol::text IS NULL OR t.symbol = :symbol)
    AND (:before_time::timestamptz IS NULL OR (t.entry_time, t.id) < (:before_time, :before_id::bigint))
ORDER BY t.entry_time DESC, t.id DESC
LIMIT :limit;

-- name: select_next_profile(after)$
-- The next profile that ever sent anything.
SELECT min(b.profile_id)
FROM dd_telemetry_batch AS b
WHERE :after::bigint IS NULL OR b.profile_id > :after;
