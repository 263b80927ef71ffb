DROP TABLE result_day_dirty;
DROP TABLE result_day;
DROP TABLE trade_tally;
DROP INDEX trade_summary_exit;
ALTER TABLE trade_summary DROP COLUMN fold_mark, DROP COLUMN event_ids;
ALTER TABLE trade_summary ALTER COLUMN trade SET STORAGE EXTENDED;
ALTER TABLE trade_summary RESET (toast_tuple_target);
