-- name: insert_audit(actor, key_id, action, subject, before, after, reason, request_id)^
-- Appends one record. The UPDATE waits for the head row and then works on its newest version, so one statement is
-- enough for an unbroken chain.
WITH given AS (
    SELECT clock_timestamp() AS at
),

moved AS (
    UPDATE governance_audit_head AS h SET
        seq = h.seq + 1,
        at = greatest(h.at, given.at),
        prev_hash = h.hash,
        hash = governance_audit_hash(
            h.hash, h.seq + 1, greatest(h.at, given.at), :actor, :key_id, :action, :subject, :before, :after,
            :reason, :request_id
        )
    FROM given
    WHERE h.id = 1
    RETURNING h.seq, h.at, h.prev_hash, h.hash
)

INSERT INTO governance_audit (
    seq, at, actor, key_id, action, subject, before, after, reason, request_id, prev_hash, hash
)
SELECT
    moved.seq,
    moved.at,
    :actor AS actor,
    :key_id AS key_id,
    :action AS action,
    :subject AS subject,
    :before::json AS before,
    :after::json AS after,
    :reason AS reason,
    :request_id AS request_id,
    moved.prev_hash,
    moved.hash
FROM moved
RETURNING governance_audit.seq, governance_audit.at;

-- name: select_audit(actor, key_id, action, subject, since, until, before_seq, limit)
-- A page of the audit, newest first; every filter is optional.
SELECT
    a.seq,
    a.at,
    a.actor,
    a.key_id,
    a.action,
    a.subject,
    a.before,
    a.after,
    a.reason,
    a.request_id,
    a.prev_hash,
    a.hash
FROM governance_audit AS a
WHERE
    (:actor::text IS NULL OR a.actor = :actor)
    AND (:key_id::text IS NULL OR a.key_id = :key_id)
    AND (:action::text IS NULL OR a.action = :action)
    AND (:subject::text IS NULL OR a.subject = :subject)
    AND (:since::timestamptz IS NULL OR a.at >= :since)
    AND (:until::timestamptz IS NULL OR a.at < :until)
    AND (:before_seq::bigint IS NULL OR a.seq < :before_seq)
ORDER BY a.seq DESC
LIMIT :limit;

-- name: select_first_fault()^
-- The first record whose number, link or content is not what the chain says, in one pass over the whole chain.
SELECT
    chain.seq,
    CASE
        WHEN chain.seq <> chain.expected THEN 'a record is missing before it'
        WHEN chain.prev_hash <> chain.hash_before THEN 'it does not follow the record before it'
        ELSE 'its content was changed'
    END AS fault
FROM (
    SELECT
        a.seq,
        a.prev_hash,
        a.hash,
        lag(a.seq, 1, 0::bigint) OVER (ORDER BY a.seq) + 1 AS expected,
        lag(a.hash, 1, repeat('0', 64)) OVER (ORDER BY a.seq) AS hash_before,
        governance_audit_hash(
            a.prev_hash, a.seq, a.at, a.actor, a.key_id, a.action, a.subject, a.before::text, a.after::text, a.reason,
            a.request_id
        ) AS recomputed
    FROM governance_audit AS a
) AS chain
WHERE
    chain.seq <> chain.expected
    OR chain.prev_hash <> chain.hash_before
    OR chain.hash <> chain.recomputed
ORDER BY chain.seq
LIMIT 1;

-- name: select_head()^
-- Where the chain ends, as the head row says and as the records do, in one snapshot.
WITH a AS (
    SELECT
        governance_audit.seq,
        governance_audit.hash
    FROM governance_audit
    ORDER BY governance_audit.seq DESC
    LIMIT 1
)

SELECT
    h.seq,
    h.hash,
    h.at,
    a.seq AS last_seq,
    a.hash AS last_hash
FROM governance_audit_head AS h
LEFT JOIN a ON TRUE
WHERE h.id = 1;

-- name: select_hash_at(seq)$
-- The hash of one record, to compare with a head that was exported earlier.
SELECT a.hash
FROM governance_audit AS a
WHERE a.seq = :seq;

-- name: select_key_ages(key_ids)
-- Since when each key has been seen changing something.
SELECT
    a.key_id,
    min(a.at) AS first_seen
FROM governance_audit AS a
WHERE a.key_id = any(:key_ids)
GROUP BY a.key_id
ORDER BY a.key_id;

-- name: select_trips(since)
-- What tripped, and what re-armed it, oldest first.
SELECT
    a.at,
    a.action,
    a.subject
FROM governance_audit AS a
WHERE a.action = any(ARRAY['regression.trip', 'regression.rearm']) AND a.at >= :since
ORDER BY a.seq;

-- name: protect#
-- Rights do not travel with a backup to another owner; this one must hold wherever the audit is.
REVOKE UPDATE, DELETE, TRUNCATE ON governance_audit FROM public, current_user;
