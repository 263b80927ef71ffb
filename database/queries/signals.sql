-- name: insert_events(rows)
-- Stores a group of events (migration 0140 has the statement) and tells which of them were new.
SELECT
    stored.trade_id,
    stored.event_key,
    stored.id
FROM store_events(:rows::jsonb) AS stored;

-- name: claim_window(trade_ids, body_hashes, event_keys, received_ats)
-- An alert without a time of its own is new only if it takes its place in the 30 s window; these are the ones that do.
-- A statement of its own, because few alerts need it and every group would pay for planning it.
INSERT INTO signal_window AS w (trade_id, body_hash, event_key, received_at)
SELECT
    i.trade_id,
    i.body_hash,
    i.event_key,
    i.received_at
FROM
    unnest(:trade_ids::text [], :body_hashes::text [], :event_keys::text [], :received_ats::timestamptz [])
        AS i (trade_id, body_hash, event_key, received_at)
ORDER BY i.trade_id, i.body_hash
ON CONFLICT (trade_id, body_hash) DO UPDATE
    SET
        event_key = CASE WHEN excluded.received_at > w.received_at THEN excluded.event_key ELSE w.event_key END,
        received_at = greatest(excluded.received_at, w.received_at)
    WHERE
    -- differences, because adding to a time is not immutable (it asks for the time zone), which Citus refuses here
    excluded.received_at - w.received_at >= INTERVAL '30 seconds'
    OR w.received_at - excluded.received_at >= INTERVAL '30 seconds'
RETURNING w.trade_id, w.body_hash;

-- name: select_first_events(trade_ids, event_keys, body_hashes)
-- The stored first event of each alert that was a repeat: by its own key and, after that, by the window's, which
-- counts where there are both.
SELECT
    r.n,
    s.id,
    s.received_at,
    FALSE AS by_window
FROM
    unnest(:trade_ids::text [], :event_keys::text [])
    WITH ORDINALITY AS r (trade_id, event_key, n)
INNER JOIN automated_signals AS s ON r.trade_id = s.trade_id AND r.event_key = s.event_key
UNION ALL
SELECT
    r.n,
    s.id,
    s.received_at,
    TRUE AS by_window
FROM
    unnest(:trade_ids::text [], :body_hashes::text [])
    WITH ORDINALITY AS r (trade_id, body_hash, n)
INNER JOIN signal_window AS w ON r.trade_id = w.trade_id AND r.body_hash = w.body_hash
INNER JOIN automated_signals AS s ON w.trade_id = s.trade_id AND w.event_key = s.event_key
ORDER BY by_window;

-- name: delete_old_window(before)!
-- The window only needs its last 30 s; what is older is forgotten in small bites. What an alert claims again at this
-- moment is not old any more when its row can be had.
DELETE FROM signal_window
WHERE
    signal_window.received_at < :before
    AND (signal_window.trade_id, signal_window.body_hash) IN (
        SELECT
            old.trade_id,
            old.body_hash
        FROM signal_window AS old
        WHERE old.received_at < :before
        ORDER BY old.received_at
        LIMIT 1000
    );

-- name: select_events_for_trades(trade_ids)
-- Everything the fold needs about some trades, whole bodies included.
SELECT *
FROM automated_signals
WHERE automated_signals.trade_id = any(:trade_ids)
ORDER BY automated_signals.trade_id, automated_signals.id;

-- name: select_event_ids(trade_id)$
-- The numbers of a trade's events.
SELECT array_agg(automated_signals.id)
FROM automated_signals
WHERE automated_signals.trade_id = :trade_id;

-- name: select_events_at(trade_ids, event_ids)
-- Single events by trade and number.
SELECT s.*
FROM unnest(:trade_ids::text [], :event_ids::bigint []) WITH ORDINALITY AS asked (trade_id, event_id, n)
INNER JOIN automated_signals AS s ON asked.trade_id = s.trade_id AND asked.event_id = s.id;

-- name: render_events(trade_ids, event_ids)
-- Events as the API shows them, as JSON text (migration 0160 has the statement); some have none.
SELECT
    rendered.id,
    rendered.text
FROM render_events(:trade_ids::text [], :event_ids::bigint []) AS rendered;

-- name: select_recent_events(since, limit)
-- The newest alerts by time of receipt.
SELECT *
FROM automated_signals
WHERE automated_signals.received_at >= :since
ORDER BY automated_signals.received_at DESC, automated_signals.id DESC
LIMIT :limit;

-- name: delete_trades(trade_ids)!
-- Removes every event of some trades; what was derived from them goes after it (`deletions.forget`).
DELETE FROM automated_signals
WHERE automated_signals.trade_id = any(:trade_ids);

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
        OR s.telemetry ->> 'schema_version' = :schema_version
        OR (
            s.telemetry ->> 'schema_version' IS NULL
            AND s.telemetry #>> '{attributes,schema_version}' = :schema_version
        )
    )
    AND (:contains::jsonb IS NULL OR s.telemetry @> :contains::jsonb)
    AND (:before_time::timestamptz IS NULL OR (s.received_at, s.id) < (:before_time, :before_id::bigint))
ORDER BY s.received_at DESC, s.id DESC
LIMIT :limit;
