-- The view as it was before.
DROP MATERIALIZED VIEW utils_statistics.trades_portfolio_assets_mv;

-- The trades that were open when the day ended, or that are open now: each trade's own days, not every pair of both.
CREATE MATERIALIZED VIEW utils_statistics.trades_portfolio_assets_mv AS
WITH days AS MATERIALIZED (
    SELECT d.report_date
    FROM utils_statistics.trading_days AS d
),

entered AS (
    SELECT
        t.stream_id,
        t.trade_id,
        t.symbol,
        concat_ws(' ', coalesce(t.symbol, t.trade_id), t.trade ->> 'side') AS contract_name,
        (t.entry_time AT TIME ZONE 'America/New_York')::date AS first_day,
        CASE
            WHEN t.status = 'COMPLETED' THEN (t.exit_time AT TIME ZONE 'America/New_York')::date - 1
            ELSE (SELECT max(days.report_date) FROM days)
        END AS last_day
    FROM trade_summary AS t
    WHERE t.entry_time IS NOT NULL AND t.status IN ('ACTIVE', 'BE_PROTECTED', 'COMPLETED')
)

SELECT
    days.report_date,
    e.trade_id,
    e.symbol,
    e.contract_name,
    e.stream_id
FROM entered AS e
CROSS JOIN LATERAL generate_series(0, e.last_day - e.first_day) AS later (n)
INNER JOIN days ON days.report_date = e.first_day + later.n;

CREATE UNIQUE INDEX trades_portfolio_assets_mv_key
ON utils_statistics.trades_portfolio_assets_mv (report_date, stream_id, trade_id);
