-- Recorded telemetry is never thrown away by a rollback: export and empty the tables first.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM dd_breakout_signals)
        OR EXISTS (SELECT 1 FROM dd_trade_performance WHERE source = 'telemetry')
        OR EXISTS (SELECT 1 FROM dd_equity_points)
        OR EXISTS (SELECT 1 FROM dd_order_metrics)
        OR EXISTS (SELECT 1 FROM dd_api_latency)
        OR EXISTS (SELECT 1 FROM dd_system_health)
    THEN
        RAISE EXCEPTION 'The telemetry tables hold records: export and empty them before going back.';
    END IF;
END
$$;

DROP TABLE dd_telemetry_dirty;

DROP TABLE dd_telemetry_metrics;

DROP TABLE dd_system_health;

DROP TABLE dd_api_latency;

DROP TABLE dd_orders;

DROP TABLE dd_order_metrics;

DROP TABLE dd_equity_points;

DROP TABLE dd_trade_performance;

DROP TABLE dd_breakout_signals;

DROP TABLE dd_telemetry_batch;
