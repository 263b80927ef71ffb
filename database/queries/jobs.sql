-- name: take_lease(name, holder, seconds)$
-- The row lease of a job: its holder, or whoever comes after it expired. NULL when another one holds it.
INSERT INTO job_lease AS l (name, holder, expires_at)
VALUES (:name, :holder, clock_timestamp() + :seconds * INTERVAL '1 second')
ON CONFLICT (name) DO UPDATE
    SET
        holder = excluded.holder,
        expires_at = excluded.expires_at
    WHERE l.expires_at <= clock_timestamp() OR l.holder = excluded.holder
RETURNING l.name;

-- name: renew_lease(name, holder, seconds)!
-- Only its holder prolongs a lease; 0 rows say that another one has taken over.
UPDATE job_lease SET expires_at = clock_timestamp() + :seconds * INTERVAL '1 second'
WHERE name = :name AND holder = :holder;

-- name: drop_lease(name, holder)!
-- The next run need not wait until the lease ends by itself.
DELETE FROM job_lease
WHERE name = :name AND holder = :holder;

-- name: mark_lost_runs(job)!
-- Called by the holder of the lease: what still counts as running then belongs to a process that is gone.
UPDATE job_runs
SET status = 'lost', finished_at = clock_timestamp(), error = 'The process ended without a word.'
WHERE job = :job AND status = 'running';

-- name: insert_run(job, day, holder)$
-- A run is visible from its first moment.
INSERT INTO job_runs (job, day, holder, status)
VALUES (:job, :day, :holder, 'running')
RETURNING id;

-- name: finish_run(run_id, status, exit_code, result, error)!
-- Only a run that still counts as running ends: one that was taken for lost has a successor.
UPDATE job_runs
SET
    status = :status, finished_at = clock_timestamp(), exit_code = :exit_code, result = :result::jsonb, error = :error
WHERE id = :run_id AND status = 'running';

-- name: select_done_days(job, since)
-- Which days need no run any more.
SELECT r.day
FROM job_runs AS r
WHERE r.job = :job AND r.status = 'done' AND r.day >= :since;

-- name: has_done_before(job, day)$
-- A job that never ran before has missed nothing.
SELECT count(*) FROM job_runs AS r
WHERE r.job = :job AND r.status = 'done' AND r.day < :day;

-- name: select_last_done(job)^
-- When a job last ended well, and with what.
SELECT
    r.finished_at,
    r.result
FROM job_runs AS r
WHERE r.job = :job AND r.status = 'done'
ORDER BY r.started_at DESC, r.id DESC
LIMIT 1;

-- name: select_last_runs()
-- The newest run of each job, and whether its lease is held.
SELECT DISTINCT ON (r.job)
    r.job,
    r.id,
    r.day,
    r.status,
    r.started_at,
    r.finished_at,
    r.exit_code,
    r.result,
    r.error,
    extract(EPOCH FROM r.finished_at - r.started_at) AS duration_seconds,
    l.name IS NOT NULL AS held
FROM job_runs AS r
LEFT JOIN job_lease AS l ON r.job = l.name AND l.expires_at > clock_timestamp()
ORDER BY r.job ASC, r.started_at DESC, r.id DESC;
