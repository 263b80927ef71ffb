DROP TABLE result_month;
DROP INDEX trade_summary_open;
