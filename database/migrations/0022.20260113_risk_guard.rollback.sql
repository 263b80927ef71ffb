DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM risk_event) OR EXISTS (SELECT 1 FROM risk_ledger_day) THEN
        RAISE EXCEPTION 'the risk ledger holds records: export risk_event, risk_reservation and risk_ledger_day and empty them by hand first';
    END IF;
END
$$;

DROP TABLE risk_event;

DROP TABLE risk_reservation;

DROP TABLE risk_ledger_day;

DROP TABLE risk_policy;
