-- name: select_mark(table_name)^
-- Up to which id a table was counted, unless somebody else than we deleted rows or rewrote the table since. What we
-- delete is taken off the count at once; the statistics follow, and may lag behind it for as long.
SELECT
    r.upto_id,
    r.counted,
    r.deleted
FROM row_count AS r
CROSS JOIN LATERAL pg_stat_get_tuples_deleted(to_regclass(:table_name)) AS seen (deleted)
WHERE
    r.table_name = :table_name
    AND r.filenode = pg_relation_filenode(to_regclass(:table_name))::bigint
    AND (
        r.deleted = seen.deleted
        OR (r.deleted > seen.deleted AND r.noted_at > clock_timestamp() - INTERVAL '1 minute')
    );

-- name: set_lock_patience()
-- A boundary is only taken when nobody is writing at that moment; writers never wait for it for long.
SELECT set_config('lock_timeout', '30ms', TRUE);

-- name: lock_telemetry_events#
-- While this lock is held no insert is under way, so every id up to the highest is decided.
LOCK TABLE telemetry_events IN SHARE MODE;

-- name: lock_capital_intake#
-- As for the telemetry events.
LOCK TABLE capital_intake IN SHARE MODE;

-- name: lock_research_docs#
-- As for the telemetry events.
LOCK TABLE research_docs IN SHARE MODE;

-- name: select_telemetry_events_boundary()^
-- The highest id under the lock, and what would give a deletion or a rewrite away later.
SELECT
    max(t.id) AS upto_id,
    pg_relation_filenode('telemetry_events'::regclass)::bigint AS filenode,
    pg_stat_get_tuples_deleted('telemetry_events'::regclass) AS deleted
FROM telemetry_events AS t;

-- name: select_capital_intake_boundary()^
-- As for the telemetry events.
SELECT
    max(t.id) AS upto_id,
    pg_relation_filenode('capital_intake'::regclass)::bigint AS filenode,
    pg_stat_get_tuples_deleted('capital_intake'::regclass) AS deleted
FROM capital_intake AS t;

-- name: select_research_docs_boundary()^
-- As for the telemetry events.
SELECT
    max(t.id) AS upto_id,
    pg_relation_filenode('research_docs'::regclass)::bigint AS filenode,
    pg_stat_get_tuples_deleted('research_docs'::regclass) AS deleted
FROM research_docs AS t;

-- name: insert_mark(table_name)!
-- A mark that says nothing, so that there is one to lock.
INSERT INTO row_count (table_name, upto_id, counted, filenode, deleted)
VALUES (:table_name, 0, 0, 0, -1)
ON CONFLICT (table_name) DO NOTHING;

-- name: lock_mark(table_name)$
-- Deleting rows and moving the mark take turns: neither may miss what the other does.
SELECT r.table_name
FROM row_count AS r
WHERE r.table_name = :table_name
FOR UPDATE;

-- name: save_mark(table_name, upto_id, counted, filenode, deleted)!
-- What need not be counted again.
UPDATE row_count
SET upto_id = :upto_id, counted = :counted, filenode = :filenode, deleted = :deleted, noted_at = NULL
WHERE row_count.table_name = :table_name;

-- name: note_deletion(table_name, gone, below)!
-- Our own deletions need no new count: so many rows are gone, so many of them from below the mark.
UPDATE row_count
SET counted = row_count.counted - :below, deleted = row_count.deleted + :gone, noted_at = clock_timestamp()
WHERE row_count.table_name = :table_name;

-- name: probe_telemetry_events(after, most)$
-- Whether many rows have come since the mark, and if not, how many: reads no more than `most` of them.
WITH recent AS (SELECT t.id FROM telemetry_events AS t WHERE t.id > :after LIMIT :most)

SELECT count(*) FROM recent;

-- name: probe_capital_intake(after, most)$
-- Whether many rows have come since the mark, and if not, how many: reads no more than `most` of them.
WITH recent AS (SELECT t.id FROM capital_intake AS t WHERE t.id > :after LIMIT :most)

SELECT count(*) FROM recent;

-- name: probe_research_docs(after, most)$
-- Whether many rows have come since the mark, and if not, how many: reads no more than `most` of them.
WITH recent AS (SELECT t.id FROM research_docs AS t WHERE t.id > :after LIMIT :most)

SELECT count(*) FROM recent;

-- name: count_telemetry_events(after, upto)$
-- The rows whose ids lie in a range.
SELECT count(*) FROM telemetry_events AS t
WHERE t.id > :after AND t.id <= :upto;

-- name: count_capital_intake(after, upto)$
-- The rows whose ids lie in a range.
SELECT count(*) FROM capital_intake AS t
WHERE t.id > :after AND t.id <= :upto;

-- name: count_research_docs(after, upto)$
-- The rows whose ids lie in a range.
SELECT count(*) FROM research_docs AS t
WHERE t.id > :after AND t.id <= :upto;

-- name: count_research_sources()$
-- People add these by hand: few.
SELECT count(*) FROM research_sources;

-- name: count_builder_tasks()$
-- People add these by hand: few.
SELECT count(*) FROM builder_tasks;

-- name: count_playbooks()$
-- People add these by hand: few.
SELECT count(*) FROM playbooks;
