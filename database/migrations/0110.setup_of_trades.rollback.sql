ALTER TABLE trade_summary DROP COLUMN setup;
