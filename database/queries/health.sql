-- name: select_applied_migrations()
-- What has been applied here; asked at every readiness check, so it reads one small table.
SELECT m.migration_id
FROM _yoyo_migration AS m;
