-- name: select_written()$
-- How far the primary has written: what is committed by now lies before it.
SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint;

-- name: select_replayed()$
-- How far a replica has come; NULL on a server that is none (any more).
SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint END;
