-- depends: 0140.store_events
-- What a first look reads keeps its size as the years go by.

-- Open trades are few, wherever in the years they began: a page of them is read in its order.
CREATE INDEX trade_summary_open ON trade_summary (trade_time DESC, trade_id DESC)
WHERE status IN ('ACTIVE', 'BE_PROTECTED');

-- The days of a month put together: the sum of their results, the highest and the lowest that they stood (the month
-- begins at 0), and the deepest fall from a high. Disposable like the days.
CREATE TABLE result_month (
    month DATE PRIMARY KEY,
    total NUMERIC NOT NULL,
    peak NUMERIC NOT NULL,
    low NUMERIC NOT NULL,
    drawdown NUMERIC NOT NULL
);
INSERT INTO result_day_dirty (day)
SELECT result_day.day
FROM result_day;
