-- name: has_equity_points()$
-- Whether this database has trading telemetry at all.
SELECT to_regclass('dd_equity_points') IS NOT NULL AS present;

-- name: select_equity_balances(since, until)
-- Each profile's last equity point of a day, and its last one before that day.
WITH last_of_day AS (
    SELECT DISTINCT ON (e.profile_id)
        e.profile_id,
        e.recorded_at,
        e.account_equity
    FROM dd_equity_points AS e
    WHERE e.recorded_at >= :since AND e.recorded_at < :until
    ORDER BY e.profile_id ASC, e.recorded_at DESC, e.id DESC
)

SELECT
    c.profile_id,
    c.recorded_at AS current_at,
    c.account_equity AS current,
    p.recorded_at AS previous_at,
    p.account_equity AS previous
FROM last_of_day AS c
LEFT JOIN LATERAL (
    SELECT
        e.recorded_at,
        e.account_equity
    FROM dd_equity_points AS e
    WHERE e.profile_id = c.profile_id AND e.recorded_at < :since
    ORDER BY e.recorded_at DESC, e.id DESC
    LIMIT 1
) AS p ON TRUE
ORDER BY c.profile_id;
