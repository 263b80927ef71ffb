-- What waits in quarantine exists nowhere else: then the rollback fails and says so.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM quarantine WHERE state = 'waiting') THEN
        RAISE EXCEPTION 'quarantine holds alerts; replay or discard them before this rollback';
    END IF;
END
$$;

DROP TABLE auth_failure;

DROP TABLE intake_hour;

DROP TABLE receipt;

DROP TABLE quarantine;
