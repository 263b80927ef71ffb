DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM governance_audit) THEN
        RAISE EXCEPTION 'governance_audit holds records, which nothing may throw away: export the table and drop it by hand first';
    END IF;
END
$$;

DROP FUNCTION governance_audit_hash(TEXT, BIGINT, TIMESTAMPTZ, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT);

DROP TABLE governance_audit_head;

DROP TABLE governance_audit;
