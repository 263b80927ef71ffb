-- name: insert_notice(kind, fact, title, detail)$
-- One notice per fact, in the transaction of the fact.
INSERT INTO notice (kind, fact, title, detail)
VALUES (:kind, :fact, :title, :detail::jsonb)
ON CONFLICT (fact) DO NOTHING
RETURNING id;

-- name: plan_deliveries(targets)!
-- Every receiver gets a row for each new notice. A receiver that is added later is not told what is a day old.
INSERT INTO notice_delivery (notice_id, target, next_attempt_at)
SELECT
    n.id,
    t.target,
    clock_timestamp() AS next_attempt_at
FROM notice AS n
CROSS JOIN unnest(:targets::text []) AS t (target)
WHERE
    n.created_at > clock_timestamp() - INTERVAL '1 day'
    AND NOT EXISTS (SELECT 1 FROM notice_delivery AS d WHERE d.notice_id = n.id)
ON CONFLICT (notice_id, target) DO NOTHING;

-- name: mark_unanswered(targets)!
-- What was on its way when its worker died may have arrived: these receivers could not tell a second one from a first.
UPDATE notice_delivery
SET status = 'unknown', last_error = 'its sender ended before the answer came'
WHERE status = 'sending' AND next_attempt_at <= clock_timestamp() AND target = any(:targets);

-- name: begin_attempt(targets, hold_seconds)^
-- The delivery that has been due longest, held while it is tried: a killed worker's attempt comes up again.
WITH due AS (
    SELECT
        d.notice_id,
        d.target
    FROM notice_delivery AS d
    WHERE d.status IN ('pending', 'sending') AND d.next_attempt_at <= clock_timestamp() AND d.target = any(:targets)
    ORDER BY d.next_attempt_at, d.notice_id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)

UPDATE notice_delivery AS d
SET
    status = 'sending',
    attempts = d.attempts + 1,
    last_attempt_at = clock_timestamp(),
    next_attempt_at = clock_timestamp() + :hold_seconds * INTERVAL '1 second'
FROM due, notice AS n
WHERE d.notice_id = due.notice_id AND d.target = due.target AND n.id = d.notice_id
RETURNING d.target, d.attempts, n.id, n.kind, n.fact, n.title, n.detail, n.created_at;

-- name: mark_delivered(notice_id, target, status_code)!
-- The receiver took it: never again.
UPDATE notice_delivery
SET
    status = 'delivered',
    delivered_at = clock_timestamp(),
    last_status = :status_code,
    last_error = NULL
WHERE notice_id = :notice_id AND target = :target;

-- name: mark_failed(notice_id, target, status_code, error, wait_seconds, status)!
-- Not taken: tried again later, given up, or nobody knows.
UPDATE notice_delivery
SET
    status = :status,
    last_status = :status_code,
    last_error = :error,
    next_attempt_at = clock_timestamp() + :wait_seconds * INTERVAL '1 second'
WHERE notice_id = :notice_id AND target = :target AND status = 'sending';

-- name: select_notices(kind, before_time, before_id, limit)
-- A page of notices, newest first, each with its deliveries.
SELECT
    n.id,
    n.kind,
    n.fact,
    n.title,
    n.detail,
    n.created_at,
    coalesce(
        (
            SELECT
                jsonb_agg(
                    jsonb_build_object(
                        'target', d.target, 'status', d.status, 'attempts', d.attempts,
                        'last_attempt_at', d.last_attempt_at, 'last_status', d.last_status,
                        'last_error', d.last_error, 'delivered_at', d.delivered_at,
                        'next_attempt_at', CASE WHEN d.status IN ('pending', 'sending') THEN d.next_attempt_at END
                    )
                    ORDER BY d.target
                )
            FROM notice_delivery AS d
            WHERE d.notice_id = n.id
        ), '[]'::jsonb
    ) AS deliveries
FROM notice AS n
WHERE
    (:kind::text IS NULL OR n.kind = :kind)
    AND (:before_time::timestamptz IS NULL OR (n.created_at, n.id) < (:before_time, :before_id::bigint))
ORDER BY n.created_at DESC, n.id DESC
LIMIT :limit;
