-- transactional: false
DROP INDEX CONCURRENTLY IF EXISTS dd_telemetry_batch_age;
