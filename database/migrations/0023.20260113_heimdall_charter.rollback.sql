DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM heimdall_event) OR EXISTS (SELECT 1 FROM heimdall_recommendation) THEN
        RAISE EXCEPTION 'the charter holds records: export heimdall_event, heimdall_recommendation and heimdall_scorecard_day and empty them by hand first';
    END IF;
END
$$;

DROP TABLE heimdall_event;

DROP TABLE heimdall_recommendation;

DROP TABLE heimdall_scorecard_day;

DROP TABLE heimdall_policy;
