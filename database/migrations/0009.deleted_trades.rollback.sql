-- What was deleted can only be put back from here.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM deleted_event WHERE deleted_event.restored_at IS NULL) THEN
        RAISE EXCEPTION 'deleted trades are kept here; restore them or move them elsewhere before this rollback';
    END IF;
END
$$;

DROP TABLE deleted_event;

DROP TABLE trade_deletion;
