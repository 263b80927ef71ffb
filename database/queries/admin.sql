-- name: select_tables()
-- Every table of this schema with its size; row counts are PostgreSQL's own estimates, -1 before the first one.
SELECT
    c.relname AS name,
    c.reltuples::bigint AS estimated_rows,
    pg_total_relation_size(c.oid) AS bytes
FROM pg_class AS c
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
ORDER BY c.relname;

-- name: select_server()^
-- What this database is.
SELECT
    current_setting('server_version') AS version,
    pg_database_size(current_database()) AS bytes;

-- name: has_tables()$
-- Whether anything is kept here already.
SELECT exists(
    SELECT 1
    FROM pg_class AS c
    INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
    WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname NOT LIKE 'pg\_%%' AND n.nspname <> 'information_schema'
) AS present;
