DROP TABLE position_stream;

DROP TABLE position_checkpoint;

ALTER TABLE trade_dirty DROP COLUMN since;
