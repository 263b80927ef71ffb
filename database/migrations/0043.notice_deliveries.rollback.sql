DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM notice_delivery) THEN
        RAISE EXCEPTION 'notice_delivery holds what was told to whom: export and empty it before it is dropped';
    END IF;
END
$$;

DROP TABLE notice_delivery;
