-- name: insert_receipts(rows)!
-- What did not become a new event leaves a row.
INSERT INTO receipt (received_at, kind, body_hash, trade_id, event_id, quarantine_id, status, code, peer)
SELECT
    r.received_at,
    r.kind,
    r.body_hash,
    r.trade_id,
    r.event_id,
    r.quarantine_id,
    r.status,
    r.code,
    r.peer
FROM
    jsonb_to_recordset(:rows::jsonb) AS r (
        received_at TIMESTAMPTZ, kind TEXT, body_hash TEXT, trade_id TEXT, event_id BIGINT, quarantine_id BIGINT,
        status INTEGER, code TEXT, peer TEXT
    );

-- name: insert_spooled_receipts(rows)!
-- The same for what waited in the spool; a drain that is repeated finds its rows there.
INSERT INTO receipt (received_at, kind, body_hash, status, code, peer)
SELECT
    r.received_at,
    r.kind,
    r.body_hash,
    r.status,
    r.code,
    r.peer
FROM
    jsonb_to_recordset(:rows::jsonb) AS r (
        received_at TIMESTAMPTZ, kind TEXT, body_hash TEXT, status INTEGER, code TEXT, peer TEXT
    )
WHERE
    NOT EXISTS (
        SELECT 1 FROM receipt AS known
        WHERE
            known.received_at = r.received_at AND known.kind = r.kind AND known.body_hash = r.body_hash
            AND known.peer = r.peer AND known.code = r.code
    );

-- name: add_to_hours(hours, kinds, counts)!
-- Adds a process's counts since its last report.
INSERT INTO intake_hour AS i (hour, kind, deliveries)
SELECT
    c.hour,
    c.kind,
    c.deliveries
FROM unnest(:hours::timestamptz [], :kinds::text [], :counts::bigint []) AS c (hour, kind, deliveries)
ORDER BY c.hour, c.kind
ON CONFLICT (hour, kind) DO UPDATE SET deliveries = i.deliveries + excluded.deliveries;

-- name: insert_quarantine(row, raw, per_peer, total)$
-- Keeps a body unless its peer, or everybody together, has too many waiting already. A delivery that went to the
-- spool because its first insert's answer was lost is kept once.
INSERT INTO quarantine (received_at, peer, raw, reason, message, details, payload_version, parser_version)
SELECT
    r.received_at,
    r.peer,
    :raw::bytea AS raw,
    r.reason,
    r.message,
    r.details,
    r.payload_version,
    r.parser_version
FROM
    jsonb_to_record(:row::jsonb) AS r (
        received_at TIMESTAMPTZ, peer TEXT, reason TEXT, message TEXT, details JSONB, payload_version TEXT,
        parser_version TEXT
    )
WHERE
    (SELECT count(*) FROM quarantine AS q WHERE q.state = 'waiting') < :total
    AND (SELECT count(*) FROM quarantine AS q WHERE q.state = 'waiting' AND q.peer = r.peer) < :per_peer
    AND NOT EXISTS (SELECT 1 FROM quarantine AS q WHERE q.received_at = r.received_at AND q.raw = :raw::bytea)
RETURNING id;

-- name: select_quarantine(state, reason, version, since, until, before_time, before_id, limit)
-- A page of quarantine, newest first.
SELECT
    q.id,
    q.received_at,
    q.peer,
    q.reason,
    q.message,
    q.details,
    q.payload_version,
    q.parser_version,
    q.state,
    q.result,
    q.resolved_at,
    q.note,
    octet_length(q.raw) AS size
FROM quarantine AS q
WHERE
    (:state::text IS NULL OR q.state = :state)
    AND (:reason::text IS NULL OR q.reason = :reason)
    AND (:version::text IS NULL OR q.payload_version = :version)
    AND (:since::timestamptz IS NULL OR q.received_at >= :since)
    AND (:until::timestamptz IS NULL OR q.received_at < :until)
    AND (:before_time::timestamptz IS NULL OR (q.received_at, q.id) < (:before_time, :before_id::bigint))
ORDER BY q.received_at DESC, q.id DESC
LIMIT :limit;

-- name: select_quarantined(quarantine_id)^
-- One body with everything known about it.
SELECT
    q.*,
    octet_length(q.raw) AS size
FROM quarantine AS q
WHERE q.id = :quarantine_id;

-- name: lock_quarantined(quarantine_id)^
-- The body that is about to be replayed or discarded, so that two operators do not do it twice.
SELECT
    q.*,
    octet_length(q.raw) AS size
FROM quarantine AS q
WHERE q.id = :quarantine_id
FOR UPDATE;

-- name: select_waiting_ids(reason, limit)
-- The oldest waiting bodies of one reason, for replaying in bulk.
SELECT q.id
FROM quarantine AS q
WHERE q.state = 'waiting' AND q.reason = :reason
ORDER BY q.received_at, q.id
LIMIT :limit;

-- name: resolve_quarantined(quarantine_id, state, result, note)!
-- Records what became of a body.
UPDATE quarantine
SET
    state = :state,
    result = :result::jsonb,
    note = :note,
    resolved_at = clock_timestamp()
WHERE quarantine.id = :quarantine_id;

-- name: record_attempt(quarantine_id, result)!
-- A replay that failed again leaves its result; the body goes on waiting.
UPDATE quarantine
SET result = :result::jsonb
WHERE quarantine.id = :quarantine_id;

-- name: record_failure(address)^
-- One more wrong key from an address; the minute begins with the first one.
INSERT INTO auth_failure AS a (address, since, failures)
VALUES (:address, clock_timestamp(), 1)
ON CONFLICT (address) DO UPDATE
    SET
        failures = CASE WHEN a.since > clock_timestamp() - INTERVAL '1 minute' THEN a.failures + 1 ELSE 1 END,
        since = CASE WHEN a.since > clock_timestamp() - INTERVAL '1 minute' THEN a.since ELSE clock_timestamp() END
RETURNING
    a.failures,
    ceil(extract(EPOCH FROM a.since + INTERVAL '1 minute' - clock_timestamp()))::integer AS seconds_left;

-- name: delete_old_failures()!
-- Addresses that have been quiet are forgotten.
DELETE FROM auth_failure
WHERE auth_failure.since < clock_timestamp() - INTERVAL '1 hour';

-- name: select_failures(since)
-- What we answered with an error of ours.
SELECT
    r.body_hash,
    r.received_at
FROM receipt AS r
WHERE r.received_at >= :since AND r.kind = 'refused' AND r.status >= 500;

-- name: count_events_by_hour(since)
-- New events by hour.
SELECT
    date_trunc('hour', s.received_at, 'UTC') AS hour,
    count(*) AS deliveries
FROM automated_signals AS s
WHERE s.received_at >= :since
GROUP BY 1;

-- name: count_resent_by_hour(since, body_hashes, failed_at)
-- Those that came 4 to 20 s after we had answered the same body with an error of ours.
SELECT
    date_trunc('hour', s.received_at, 'UTC') AS hour,
    count(DISTINCT s.id) AS deliveries
FROM automated_signals AS s
INNER JOIN
    unnest(:body_hashes::text [], :failed_at::timestamptz []) WITH ORDINALITY AS f (body_hash, received_at, n)
    ON
        f.body_hash = split_part(s.event_key, '@', 1)
        AND s.received_at >= f.received_at + INTERVAL '4 seconds'
        AND s.received_at <= f.received_at + INTERVAL '20 seconds'
WHERE s.received_at >= :since
GROUP BY 1;

-- name: count_others_by_hour(since)
-- Deliveries that left another row than an event, by hour and kind; resends are told as those of events.
SELECT
    date_trunc('hour', d.received_at, 'UTC') AS hour,
    d.kind,
    count(*) AS deliveries
FROM (
    SELECT
        r.received_at,
        CASE
            WHEN
                r.kind = 'repeat'
                AND EXISTS (
                    SELECT 1
                    FROM receipt AS f
                    WHERE
                        f.kind = 'refused'
                        AND f.status >= 500
                        AND f.body_hash = r.body_hash
                        AND f.received_at >= :since
                        AND r.received_at >= f.received_at + INTERVAL '4 seconds'
                        AND r.received_at <= f.received_at + INTERVAL '20 seconds'
                )
                THEN 'resend'
            ELSE r.kind
        END AS kind
    FROM receipt AS r
    WHERE r.received_at >= :since
    UNION ALL
    SELECT
        q.received_at,
        'quarantined' AS kind
    FROM quarantine AS q
    WHERE q.received_at >= :since
) AS d
GROUP BY 1, 2
UNION ALL
SELECT
    i.hour,
    i.kind,
    i.deliveries
FROM intake_hour AS i
WHERE i.hour >= date_trunc('hour', :since::timestamptz, 'UTC');

-- name: select_latencies(since)^
-- Milliseconds from the alert's own time to receipt, and from receipt to the row in the database.
SELECT
    count(l.own_ms) AS to_receipt_n,
    count(l.commit_ms) AS to_commit_n,
    -- alerts without a time of their own have no own_ms, and percentile_cont leaves nulls out
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY l.own_ms) AS to_receipt,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY l.commit_ms) AS to_commit
FROM (
    SELECT
        CASE
            WHEN s.event_time_source <> 'received' THEN extract(EPOCH FROM s.received_at - s.event_timestamp) * 1000
        END AS own_ms,
        extract(EPOCH FROM s.created_at - s.received_at) * 1000 AS commit_ms
    FROM automated_signals AS s
    WHERE s.received_at >= :since AND s.payload_version <> 'older_row'
) AS l;

-- name: select_quarantine_size()^
-- How much waits, and since when.
SELECT
    count(*) AS waiting,
    min(q.received_at) AS oldest
FROM quarantine AS q
WHERE q.state = 'waiting';

-- name: select_last_alerts(since)
-- The last alert of each strategy.
SELECT
    coalesce(s.strategy_id, s.strategy_name, '(none)') AS strategy,
    max(s.received_at) AS last_received_at,
    count(*) AS alerts
FROM automated_signals AS s
WHERE s.received_at >= :since
GROUP BY 1
ORDER BY 1;

-- name: select_cadence(since, each)
-- The newest times of receipt of each strategy on each symbol, which show its own rhythm.
WITH named AS (
    SELECT
        s.symbol,
        s.received_at,
        coalesce(s.strategy_id, s.strategy_name, '(none)') AS strategy
    FROM automated_signals AS s
    WHERE s.received_at >= :since
),

placed AS (
    SELECT
        n.strategy,
        n.symbol,
        n.received_at,
        row_number() OVER (PARTITION BY n.strategy, n.symbol ORDER BY n.received_at DESC) AS place
    FROM named AS n
)

SELECT
    p.strategy,
    p.symbol,
    array_agg(p.received_at ORDER BY p.received_at) AS times
FROM placed AS p
WHERE p.place <= :each
GROUP BY p.strategy, p.symbol
ORDER BY p.strategy, p.symbol;

-- name: select_receipts(kind, since, before_time, before_id, limit)
-- A page of what did not become a new event, newest first.
SELECT r.*
FROM receipt AS r
WHERE
    (:kind::text IS NULL OR r.kind = :kind)
    AND (:since::timestamptz IS NULL OR r.received_at >= :since)
    AND (:before_time::timestamptz IS NULL OR (r.received_at, r.id) < (:before_time, :before_id::bigint))
ORDER BY r.received_at DESC, r.id DESC
LIMIT :limit;
