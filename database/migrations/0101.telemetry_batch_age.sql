-- depends: 0100.notice_outcomes
-- transactional: false
-- Batches that are past their days are found by their time.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dd_telemetry_batch_age ON dd_telemetry_batch (received_at);
