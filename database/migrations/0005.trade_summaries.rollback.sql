DROP TABLE trade_summary;

DROP TABLE trade_dirty;
