-- The column holds what alerts said and older code ignores it: only an empty one goes.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM automated_signals WHERE automated_signals.position IS NOT NULL) THEN
        RAISE EXCEPTION 'position alerts are stored; delete or move their streams before this rollback';
    END IF;
END
$$;

DROP TABLE position_gap;

ALTER TABLE trade_summary DROP COLUMN realized_points, DROP COLUMN uncertain;

DROP INDEX automated_signals_id;

ALTER TABLE automated_signals DROP COLUMN position;
