-- name: insert_deletion(kind, actor, reason, request_id, deleted_at)$
-- The record of a deletion; its counts follow in the same transaction.
INSERT INTO trade_deletion (kind, actor, reason, request_id, deleted_at, trade_count, event_count)
VALUES (:kind, :actor, :reason, :request_id, :deleted_at, 0, 0)
RETURNING id;

-- name: select_ghosts()
-- Ids that no alert may have: a comma in it, or none at all when the row came.
SELECT DISTINCT s.trade_id
FROM automated_signals AS s
WHERE s.trade_id LIKE '%%,%%' OR s.original_trade_id IS NOT NULL
ORDER BY s.trade_id;

-- name: lock_deletions()
-- One deletion at a time: two of the same trade must not both keep its events.
SELECT pg_advisory_xact_lock(1097622104, 0);

-- name: keep_events(deletion_id, trade_ids)!
-- Keeps each row whole, whatever columns an older system gave it.
INSERT INTO deleted_event (trade_id, deletion_id, event_id, event_row)
SELECT
    s.trade_id,
    :deletion_id AS deletion_id,
    s.id,
    to_jsonb(s.*) AS event_row
FROM automated_signals AS s
WHERE s.trade_id = any(:trade_ids);

-- name: select_kept(deletion_id)
-- Which events a deletion keeps.
SELECT
    d.trade_id,
    d.event_id
FROM deleted_event AS d
WHERE d.deletion_id = :deletion_id
ORDER BY d.trade_id, d.event_id;

-- name: delete_events(trade_ids, event_ids)!
-- Takes out just what is kept: an alert that came in between stays.
DELETE FROM automated_signals AS s
USING unnest(:trade_ids::text [], :event_ids::bigint []) WITH ORDINALITY AS kept (trade_id, event_id, n)
WHERE s.trade_id = kept.trade_id AND s.id = kept.event_id;

-- name: forget_window(trade_ids)!
-- An alert of a deleted trade that is sent again is no repeat.
DELETE FROM signal_window
WHERE signal_window.trade_id = any(:trade_ids);

-- name: forget_feed(trade_ids)!
-- Followers are not led to what is gone.
DELETE FROM feed
WHERE feed.trade_id = any(:trade_ids);

-- name: forget_pending(trade_ids)!
-- The same for what no follower has seen yet.
DELETE FROM feed_pending
WHERE feed_pending.trade_id = any(:trade_ids);

-- name: mark_dirty(trade_ids)!
-- Their summaries are rebuilt, or go, at the next read.
INSERT INTO trade_dirty (trade_id)
SELECT ids.trade_id
FROM unnest(:trade_ids::text []) AS ids (trade_id);

-- name: count_deletion(deletion_id, trade_count, event_count)!
-- What the deletion came to.
UPDATE trade_deletion SET
    trade_count = :trade_count,
    event_count = :event_count
WHERE trade_deletion.id = :deletion_id;

-- name: lock_deleted(trade_ids, deletion_id)
-- What can be put back, held so that two restores do not both do it.
SELECT
    d.trade_id,
    d.deletion_id,
    d.event_id
FROM deleted_event AS d
WHERE
    d.restored_at IS NULL
    AND (:trade_ids::text [] IS NULL OR d.trade_id = any(:trade_ids))
    AND (:deletion_id::bigint IS NULL OR d.deletion_id = :deletion_id)
ORDER BY d.trade_id, d.deletion_id, d.event_id
FOR UPDATE;

-- name: select_event_rows(trade_ids, deletion_ids, event_ids)$
-- The rows that are put back, as the text of an array.
SELECT jsonb_agg(d.event_row)::text AS event_rows
FROM deleted_event AS d
INNER JOIN
    unnest(:trade_ids::text [], :deletion_ids::bigint [], :event_ids::bigint [])
        AS asked (trade_id, deletion_id, event_id)
    ON d.trade_id = asked.trade_id AND d.deletion_id = asked.deletion_id AND d.event_id = asked.event_id;

-- name: restore_events(rows)
-- Puts rows back just as they were; an alert that was sent again meanwhile stays, and its old row counts as back.
INSERT INTO automated_signals
SELECT back.*
FROM jsonb_populate_recordset(NULL::automated_signals, :rows::jsonb) AS back
ON CONFLICT DO NOTHING
RETURNING automated_signals.trade_id, automated_signals.id;

-- name: note_restored(trade_ids, deletion_ids, event_ids, restored_at, restored_by)!
-- Who put them back, and when.
UPDATE deleted_event AS d SET
    restored_at = :restored_at,
    restored_by = :restored_by
FROM
    unnest(:trade_ids::text [], :deletion_ids::bigint [], :event_ids::bigint [])
        AS asked (trade_id, deletion_id, event_id)
WHERE d.trade_id = asked.trade_id AND d.deletion_id = asked.deletion_id AND d.event_id = asked.event_id;

-- name: select_deletions(before_time, before_id, limit)
-- Who deleted what, newest first, with how much of it is still gone.
SELECT
    t.*,
    (
        SELECT count(*)
        FROM deleted_event AS d
        WHERE d.deletion_id = t.id AND d.restored_at IS NULL
    ) AS restorable
FROM trade_deletion AS t
WHERE :before_time::timestamptz IS NULL OR (t.deleted_at, t.id) < (:before_time, :before_id::bigint)
ORDER BY t.deleted_at DESC, t.id DESC
LIMIT :limit;
