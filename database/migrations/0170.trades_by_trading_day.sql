-- depends: 0160.render_events
-- The same view: a trade is met with the trading days that it was open on, found by their numbers. Meeting it with the
-- calendar's days took gigabytes of temporary files for trades that were never closed.
DROP MATERIALIZED VIEW utils_statistics.trades_portfolio_assets_mv;

CREATE MATERIALIZED VIEW utils_statistics.trades_portfolio_assets_mv AS
WITH days AS MATERIALIZED (
    SELECT
        d.report_date,
        row_number() OVER (ORDER BY d.report_date) AS n
    FROM utils_statistics.trading_days AS d
),

-- days of entries and of exits are trading days
entered AS (
    SELECT
        t.stream_id,
        t.trade_id,
        t.symbol,
        concat_ws(' ', coalesce(t.symbol, t.trade_id), t.trade ->> 'side') AS contract_name,
        (t.entry_time AT TIME ZONE 'America/New_York')::date AS first_day,
        (t.exit_time AT TIME ZONE 'America/New_York')::date AS exit_day,
        t.status = 'COMPLETED' AS completed
    FROM trade_summary AS t
    WHERE t.entry_time IS NOT NULL AND t.status IN ('ACTIVE', 'BE_PROTECTED', 'COMPLETED')
),

held AS (
    SELECT
        e.stream_id,
        e.trade_id,
        e.symbol,
        e.contract_name,
        f.n AS first,
        CASE WHEN e.completed THEN x.n - 1 ELSE (SELECT max(days.n) FROM days) END AS last
    FROM entered AS e
    INNER JOIN days AS f ON e.first_day = f.report_date
    LEFT JOIN days AS x ON e.exit_day = x.report_date
)

SELECT
    days.report_date,
    h.trade_id,
    h.symbol,
    h.contract_name,
    h.stream_id
FROM held AS h
CROSS JOIN LATERAL generate_series(h.first, h.last) AS open (n)
INNER JOIN days ON open.n = days.n;

CREATE UNIQUE INDEX trades_portfolio_assets_mv_key
ON utils_statistics.trades_portfolio_assets_mv (report_date, stream_id, trade_id);
