-- Older code ignores the column, and it holds alerts: it stays; only what it costs goes.
DROP INDEX IF EXISTS idx_automated_signals_telemetry_schema;

DROP INDEX IF EXISTS idx_automated_signals_telemetry;
