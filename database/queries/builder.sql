-- name: insert_task(title, scope, plan)$
-- A task begins without a draft.
INSERT INTO builder_tasks (title, scope, plan, status, diff_summary, created_at)
VALUES (:title, :scope, :plan, 'queued', 'queued', clock_timestamp())
RETURNING id;

-- name: select_tasks(before_time, before_id, limit)
-- A page of tasks, newest first.
SELECT
    t.id,
    t.title,
    t.scope,
    t.status,
    t.diff_summary,
    t.created_at,
    t.updated_at
FROM builder_tasks AS t
WHERE :before_time::timestamptz IS NULL OR (t.created_at, t.id) < (:before_time, :before_id::bigint)
ORDER BY t.created_at DESC, t.id DESC
LIMIT :limit;

-- name: lock_task(task_id)^
-- Two that draft or apply the same task take turns.
SELECT
    t.id,
    t.title,
    t.scope,
    t.status,
    t.payload_json
FROM builder_tasks AS t
WHERE t.id = :task_id
FOR UPDATE;

-- name: update_task(task_id, status, diff_summary, payload_json)!
-- A task's new state.
UPDATE builder_tasks
SET status = :status, diff_summary = :diff_summary, payload_json = :payload_json, updated_at = clock_timestamp()
WHERE id = :task_id;

-- name: lock_desk()^
-- One writes files at a time, or ends what another has left; the lock goes with the transaction, so with its process.
SELECT pg_advisory_xact_lock(1097622100, 21);

-- name: is_apply_committed(apply_id)$
-- Whether an apply came to its note, which is written in the transaction that decides.
SELECT exists(
    SELECT 1
    FROM builder_events AS e
    WHERE e.kind = 'apply' AND strpos(e.meta_json, :apply_id) > 0
) AS committed;

-- name: insert_builder_event(kind, msg, meta_json)!
-- Who did what, in the transaction of what was done.
INSERT INTO builder_events (kind, msg, meta_json, created_at)
VALUES (:kind, :msg, :meta_json, clock_timestamp());

-- name: has_go_live_switch()$
-- Whether this installation has a go-live switch at all.
SELECT to_regclass('go_live_state') IS NOT NULL AS present;

-- name: is_live()$
-- Whether trading is live now.
SELECT coalesce(bool_or(g.go_live_enabled), FALSE) AS live
FROM go_live_state AS g;
