-- name: lock_global()$
-- The one lock under which switches, caps and counters are changed, taken in a statement of its own: whatever is
-- read afterwards is newer than the wait.
SELECT p.engine
FROM risk_policy AS p
WHERE p.engine = 'GLOBAL'
FOR NO KEY UPDATE;

-- name: select_switches()^
-- The switches; asked by the gate at each request that it may refuse, never cached.
SELECT
    s.go_live_enabled,
    s.kill_switch_engaged,
    s.changed_by,
    s.reason,
    s.updated_at
FROM go_live_state AS s
WHERE s.id = 1;

-- name: upsert_switches(go_live_enabled, kill_switch_engaged, changed_by, reason)^
-- Sets the switches; a row that went missing comes back.
INSERT INTO go_live_state AS s (id, go_live_enabled, kill_switch_engaged, changed_by, reason, updated_at)
VALUES (1, :go_live_enabled, :kill_switch_engaged, :changed_by, :reason, clock_timestamp())
ON CONFLICT (id) DO UPDATE
    SET
        go_live_enabled = excluded.go_live_enabled,
        kill_switch_engaged = excluded.kill_switch_engaged,
        changed_by = excluded.changed_by,
        reason = excluded.reason,
        updated_at = excluded.updated_at
RETURNING s.go_live_enabled, s.kill_switch_engaged, s.changed_by, s.reason, s.updated_at;

-- name: select_missing_tables(names)
-- Which of the tables that the migrations make are not there.
SELECT wanted.name
FROM unnest(:names::text []) AS wanted (name)
WHERE to_regclass(wanted.name) IS NULL
ORDER BY wanted.name;
