-- Never throws alerts away: a table with rows is left, and the rollback fails and says so.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM automated_signals) THEN
        RAISE EXCEPTION 'automated_signals holds alerts; move them elsewhere before this rollback';
    END IF;
END
$$;

DROP TABLE automated_signals;
