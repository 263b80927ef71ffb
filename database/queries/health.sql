-- name: select_applied_migrations()
-- What has been applied here; asked at every readiness check, so it reads one small table.
SELECT m.migration_id
FROM _yoyo_migration AS m;

-- name: select_takes_writes()$
-- A replica, or a server that was made read-only, answers but stores nothing.
SELECT current_setting('transaction_read_only') = 'off';

-- name: count_quarantined()$
-- What waits for somebody to replay or discard it.
SELECT count(*)
FROM quarantine AS q
WHERE q.state = 'waiting';
