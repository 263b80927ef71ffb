-- The view as it was before.
DROP MATERIALIZED VIEW utils_statistics.trades_portfolio_assets_mv;

-- The trades that were open when the day ended, or that are open now.
CREATE MATERIALIZED VIEW utils_statistics.trades_portfolio_assets_mv AS
SELECT
    days.report_date,
    t.trade_id,
    t.symbol,
    t.stream_id,
    concat_ws(' ', coalesce(t.symbol, t.trade_id), t.trade ->> 'side') AS contract_name
FROM utils_statistics.trading_days AS days
INNER JOIN trade_summary AS t
    ON
        days.report_date >= (t.entry_time AT TIME ZONE 'America/New_York')::date
        AND (
            t.status IN ('ACTIVE', 'BE_PROTECTED')
            OR (t.status = 'COMPLETED' AND days.report_date < (t.exit_time AT TIME ZONE 'America/New_York')::date)
        );

CREATE UNIQUE INDEX trades_portfolio_assets_mv_key
ON utils_statistics.trades_portfolio_assets_mv (report_date, stream_id, trade_id);
