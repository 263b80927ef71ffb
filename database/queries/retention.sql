-- name: try_alone()$
-- One process at a time: the lock ends with this transaction, however the process ends.
SELECT pg_try_advisory_xact_lock(1097622100, 20);

-- name: select_table_exists(name)$
-- A kind of record may belong to a migration that is not applied here.
SELECT to_regclass(:name) IS NOT NULL;

-- name: delete_old_kpis(before, batch)!
-- Measured outcomes past their days, in small batches.
DELETE FROM kpi_event
WHERE kpi_event.id IN (
    SELECT old.id
    FROM kpi_event AS old
    WHERE old.created_at < :before
    ORDER BY old.created_at, old.id
    LIMIT :batch
);

-- name: delete_old_telemetry(before, batch)!
-- Telemetry past its days, in small batches.
DELETE FROM telemetry_events
WHERE telemetry_events.id IN (
    SELECT old.id
    FROM telemetry_events AS old
    WHERE old.created_at < :before
    ORDER BY old.created_at, old.id
    LIMIT :batch
);

-- name: delete_old_receipts(before, batch)!
-- Receipts past their days, in small batches.
DELETE FROM receipt
WHERE receipt.id IN (
    SELECT old.id
    FROM receipt AS old
    WHERE old.received_at < :before
    ORDER BY old.received_at, old.id
    LIMIT :batch
);
