-- name: insert_telemetry(kind, message, meta_json, idempotency_key, request_hash)^
-- One event; nothing is answered when its key exists already.
INSERT INTO telemetry_events (kind, message, meta_json, idempotency_key, request_hash, created_at)
VALUES (:kind, :message, :meta_json, :idempotency_key, :request_hash, clock_timestamp())
ON CONFLICT DO NOTHING
RETURNING id, kind, created_at;

-- name: select_telemetry_by_key(idempotency_key)^
-- What the first request with this key recorded.
SELECT
    t.id,
    t.kind,
    t.created_at,
    t.request_hash
FROM telemetry_events AS t
WHERE t.idempotency_key = :idempotency_key;

-- name: select_telemetry(kind, before_time, before_id, limit)
-- A page of events, newest first.
SELECT
    t.id,
    t.kind,
    t.message,
    t.meta_json,
    t.created_at
FROM telemetry_events AS t
WHERE
    (:kind::text IS NULL OR t.kind = :kind)
    AND (:before_time::timestamptz IS NULL OR (t.created_at, t.id) < (:before_time, :before_id::bigint))
ORDER BY t.created_at DESC, t.id DESC
LIMIT :limit;
