-- Money and telemetry that were recorded are never dropped: only empty tables are. The columns of this version go
-- with them. A source's threshold and a currency's rate are records too.
DO $$
BEGIN
    IF
        EXISTS (SELECT 1 FROM capital_intake)
        OR EXISTS (SELECT 1 FROM telemetry_events)
        OR EXISTS (SELECT 1 FROM capital_rates)
        OR EXISTS (SELECT 1 FROM capital_risk_profiles)
    THEN
        RAISE EXCEPTION 'capital or telemetry records exist: export and empty those tables before they are dropped';
    END IF;
END
$$;

DROP TABLE row_count;
DROP TABLE capital_risk_profiles;
DROP TABLE capital_rates;
DROP TABLE capital_intake;
DROP TABLE telemetry_events;
