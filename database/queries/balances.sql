-- name: has_equity_points()$
-- Whether this database has trading telemetry at all.
SELECT to_regclass('dd_equity_points') IS NOT NULL AS present;

-- name: select_last_points(since, until)
-- Each profile's last equity point of a day.
SELECT DISTINCT ON (e.profile_id)
    e.profile_id,
    e.recorded_at,
    e.account_equity
FROM dd_equity_points AS e
WHERE e.recorded_at >= :since AND e.recorded_at < :until
ORDER BY e.profile_id ASC, e.recorded_at DESC, e.id DESC;

-- name: select_point_before(profile_id, since)^
-- A profile's last one before that day.
SELECT
    e.recorded_at,
    e.account_equity
FROM dd_equity_points AS e
WHERE e.profile_id = :profile_id AND e.recorded_at < :since
ORDER BY e.recorded_at DESC, e.id DESC
LIMIT 1;
