-- name: select_policies(domain, metric)
-- The wires, all or one.
SELECT
    p.domain,
    p.metric,
    p.enabled,
    p.window_events,
    p.baseline_events,
    p.min_events_to_enforce,
    p.max_drop_fraction,
    p.action,
    p.require_significance,
    p.changed_by,
    p.reason,
    p.updated_at
FROM regression_policy AS p
WHERE (:domain::text IS NULL OR p.domain = :domain) AND (:metric::text IS NULL OR p.metric = :metric)
ORDER BY p.domain, p.metric;

-- name: insert_unknown_policy(domain, metric, changed_by)!
-- A wire that nobody has configured starts disabled, with the defaults.
INSERT INTO regression_policy (domain, metric, changed_by)
VALUES (:domain, :metric, :changed_by)
ON CONFLICT (domain, metric) DO NOTHING;

-- name: lock_policy(domain, metric)$
-- One change at a time per wire.
SELECT p.domain
FROM regression_policy AS p
WHERE p.domain = :domain AND p.metric = :metric
FOR NO KEY UPDATE;

-- name: update_policy(row)^
-- Changes only what is not NULL.
UPDATE regression_policy AS p
SET
    enabled = coalesce(g.enabled, p.enabled),
    window_events = coalesce(g.window_events, p.window_events),
    baseline_events = coalesce(g.baseline_events, p.baseline_events),
    min_events_to_enforce = coalesce(g.min_events_to_enforce, p.min_events_to_enforce),
    max_drop_fraction = coalesce(g.max_drop_fraction, p.max_drop_fraction),
    action = coalesce(g.action, p.action),
    require_significance = coalesce(g.require_significance, p.require_significance),
    changed_by = g.changed_by,
    reason = coalesce(g.reason, p.reason),
    updated_at = clock_timestamp()
FROM
    jsonb_to_record(:row::jsonb) AS g (
        domain TEXT, metric TEXT, enabled BOOLEAN, window_events INTEGER, baseline_events INTEGER,
        min_events_to_enforce INTEGER, max_drop_fraction NUMERIC, action TEXT, require_significance BOOLEAN,
        changed_by TEXT, reason TEXT
    )
WHERE p.domain = g.domain AND p.metric = g.metric
RETURNING p.*;

-- name: insert_kpis(rows)
-- Stores measured outcomes in their order; one whose key is known is not stored again and returns no row.
INSERT INTO kpi_event (domain, metric, success, value, actor, correlation_id, detail, event_key, created_at)
SELECT
    r.domain,
    r.metric,
    r.success,
    r.value,
    r.actor,
    r.correlation_id,
    r.detail,
    r.event_key,
    clock_timestamp() AS created_at
FROM
    jsonb_to_recordset(:rows::jsonb) AS r (
        n INTEGER, domain TEXT, metric TEXT, success BOOLEAN, value NUMERIC, actor TEXT, correlation_id TEXT,
        detail JSONB, event_key TEXT
    )
ORDER BY r.n
ON CONFLICT (event_key) DO NOTHING
RETURNING kpi_event.id, kpi_event.event_key;

-- name: select_kpis_by_key(event_keys)
-- Where the first events with these keys are.
SELECT
    k.id,
    k.event_key,
    k.success,
    k.value
FROM kpi_event AS k
WHERE k.event_key = any(:event_keys);

-- name: select_enabled(domains, metrics)
-- Which of these wires are to be looked at.
SELECT
    p.domain,
    p.metric
FROM regression_policy AS p
INNER JOIN unnest(:domains::text [], :metrics::text []) AS wanted (domain, metric)
    ON p.domain = wanted.domain AND p.metric = wanted.metric
WHERE p.enabled
ORDER BY p.domain, p.metric;

-- name: insert_state(domain, metric)!
-- The state row of a wire, so that there is something to lock.
INSERT INTO regression_state (domain, metric)
VALUES (:domain, :metric)
ON CONFLICT (domain, metric) DO NOTHING;

-- name: lock_state(domain, metric)^
-- One look at a time per wire: the windows are read after this wait, so the newest events are in them.
SELECT
    s.triggered,
    s.acted,
    s.rearmed_at
FROM regression_state AS s
WHERE s.domain = :domain AND s.metric = :metric
FOR NO KEY UPDATE;

-- name: select_windows(domain, metric, window_events, baseline_events, rearmed_at)
-- Sums over the newest window and over the events just before it, read from the end of the index.
-- After a re-arming only later events are current.
WITH newest AS MATERIALIZED (
    SELECT
        k.created_at,
        k.id,
        k.success,
        k.value
    FROM kpi_event AS k
    WHERE k.domain = :domain AND k.metric = :metric
    ORDER BY k.created_at DESC, k.id DESC
    LIMIT :window_events::integer + :baseline_events::integer
),

current_events AS MATERIALIZED (
    SELECT
        n.created_at,
        n.id,
        n.success,
        n.value
    FROM newest AS n
    WHERE :rearmed_at::timestamptz IS NULL OR n.created_at > :rearmed_at
    ORDER BY n.created_at DESC, n.id DESC
    LIMIT :window_events
),

baseline_events AS MATERIALIZED (
    SELECT
        n.success,
        n.value
    FROM newest AS n
    WHERE NOT EXISTS (SELECT 1 FROM current_events AS c WHERE c.id = n.id)
    ORDER BY n.created_at DESC, n.id DESC
    LIMIT :baseline_events
),

both_windows AS (
    SELECT
        TRUE AS is_current,
        c.success,
        c.value
    FROM current_events AS c
    UNION ALL
    SELECT
        FALSE AS is_current,
        b.success,
        b.value
    FROM baseline_events AS b
)

SELECT
    w.is_current,
    count(*)::integer AS events,
    count(w.success)::integer AS judged,
    (count(*) FILTER (WHERE w.success))::integer AS successes,
    count(w.value)::integer AS valued,
    coalesce(sum(w.value), 0) AS total,
    coalesce(sum(w.value * w.value), 0) AS total_of_squares
FROM both_windows AS w
GROUP BY w.is_current
ORDER BY w.is_current;

-- name: update_state(row)^
-- What a look found. Only a trip sets `triggered`, and only a re-arming clears it.
UPDATE regression_state AS s
SET
    triggered = s.triggered OR g.trips,
    acted = CASE WHEN g.trips THEN g.acted ELSE s.acted END,
    baseline = g.baseline,
    current = g.current,
    drop_fraction = g.drop_fraction,
    note = g.note,
    verdict = g.verdict,
    p_value = g.p_value,
    effect_size = g.effect_size,
    interval_low = g.interval_low,
    interval_high = g.interval_high,
    last_checked_at = clock_timestamp(),
    last_triggered_at = CASE WHEN g.trips THEN clock_timestamp() ELSE s.last_triggered_at END
FROM
    jsonb_to_record(:row::jsonb) AS g (
        domain TEXT, metric TEXT, trips BOOLEAN, acted TEXT, baseline NUMERIC, current NUMERIC,
        drop_fraction NUMERIC, note TEXT, verdict TEXT, p_value NUMERIC, effect_size NUMERIC, interval_low NUMERIC,
        interval_high NUMERIC
    )
WHERE s.domain = g.domain AND s.metric = g.metric
RETURNING s.*;

-- name: select_states(domain, metric)
-- What the last look at each wire found.
SELECT *
FROM regression_state AS s
WHERE (:domain::text IS NULL OR s.domain = :domain) AND (:metric::text IS NULL OR s.metric = :metric)
ORDER BY s.domain, s.metric;

-- name: rearm(acted, domain)
-- A human has switched on again what these wires had switched off: only later events count as current.
UPDATE regression_state AS s
SET triggered = FALSE, acted = NULL, rearmed_at = clock_timestamp()
WHERE s.triggered AND s.acted = :acted AND (:domain::text IS NULL OR s.domain = :domain)
RETURNING s.domain, s.metric;

-- name: select_unrecorded_trades(since, limit)
-- Completed trades with a result and a strategy that have no KPI event yet.
WITH completed AS MATERIALIZED (
    SELECT
        t.trade_id,
        t.strategy_id,
        t.realized_r,
        t.exit_time
    FROM trade_summary AS t
    WHERE
        t.status = 'COMPLETED' AND t.realized_r IS NOT NULL AND t.strategy_id IS NOT NULL
        AND t.last_event_time >= :since
)

SELECT
    c.trade_id,
    c.strategy_id,
    c.realized_r
FROM completed AS c
WHERE
    NOT EXISTS (
        SELECT 1
        FROM kpi_event AS k
        WHERE k.event_key = 'trade:' || c.trade_id || ':win'
    )
ORDER BY c.exit_time, c.trade_id
LIMIT :limit;
