-- depends: 0091.position_events
-- The same view in a form that also works where alerts are spread over servers: the first size of each trade is read
-- for all of the placed trades at once, not for one trade after the other.
DROP MATERIALIZED VIEW utils_statistics.trades_contract_extremes_by_kpi_mv;

-- The ten highest and lowest trades of each day. What alerts do not tell (money, quotes) is NULL: an R multiple is no
-- profit in money, and a contract's value per point is unknown here.
CREATE MATERIALIZED VIEW utils_statistics.trades_contract_extremes_by_kpi_mv AS
WITH measured AS (
    SELECT
        d.report_date,
        'Daily R' AS kpi_name,
        d.stream_id,
        d.trade_id,
        d.realized_r AS metric
    FROM utils_statistics.decided_trades AS d
    UNION ALL
    SELECT
        d.report_date,
        'Max drawdown R' AS kpi_name,
        d.stream_id,
        d.trade_id,
        d.drawdown_r AS metric
    FROM utils_statistics.decided_trades AS d
    UNION ALL
    SELECT
        (t.exit_time AT TIME ZONE 'America/New_York')::date AS report_date,
        'Avg hold time' AS kpi_name,
        t.stream_id,
        t.trade_id,
        extract(EPOCH FROM t.exit_time - t.entry_time) AS metric
    FROM trade_summary AS t
    WHERE t.status = 'COMPLETED' AND t.exit_time >= t.entry_time
),

ranked AS (
    SELECT
        m.*,
        'hi' AS side,
        row_number() OVER (
            PARTITION BY m.report_date, m.kpi_name ORDER BY m.metric DESC, m.trade_id ASC, m.stream_id ASC
        ) AS rank
    FROM measured AS m
    UNION ALL
    SELECT
        m.*,
        'lo' AS side,
        row_number() OVER (
            PARTITION BY m.report_date, m.kpi_name ORDER BY m.metric, m.trade_id, m.stream_id
        ) AS rank
    FROM measured AS m
),

placed AS MATERIALIZED (
    SELECT r.*
    FROM ranked AS r
    WHERE r.rank <= 10
),

asked AS (
    SELECT DISTINCT p.stream_id
    FROM placed AS p
),

sizes AS (
    SELECT DISTINCT ON (s.trade_id)
        s.trade_id,
        s.contracts
    FROM automated_signals AS s
    INNER JOIN asked ON s.trade_id = asked.stream_id
    WHERE s.contracts IS NOT NULL
    ORDER BY s.trade_id, s.event_timestamp, s.id
)

SELECT
    r.report_date,
    r.kpi_name,
    r.side,
    r.rank,
    r.trade_id,
    t.symbol,
    r.metric AS metric_raw,
    NULL::numeric AS individual_pnl,
    NULL::numeric AS abs_individual_pnl,
    size.contracts AS qty,
    NULL::numeric AS bid_price,
    NULL::numeric AS ask_price,
    NULL::numeric AS mid_price,
    NULL::timestamptz AS mid_ts,
    NULL::numeric AS mid_mark_pnl,
    NULL::numeric AS liquidity_drag,
    concat_ws(' ', coalesce(t.symbol, t.trade_id), t.trade ->> 'side') AS contract_name,
    abs(r.metric) AS metric_abs,
    CASE t.direction WHEN 'Bullish' THEN 100 WHEN 'Bearish' THEN -100 END * (
        (t.trade ->> 'exit_price')::numeric / nullif((t.trade ->> 'entry_price')::numeric, 0) - 1
    ) AS percent_change,
    (t.trade ->> 'entry_price')::numeric * size.contracts AS cost_basis
FROM trade_summary AS t
INNER JOIN placed AS r ON t.stream_id = r.stream_id AND t.trade_id = r.trade_id
LEFT JOIN sizes AS size ON t.stream_id = size.trade_id;

CREATE UNIQUE INDEX trades_contract_extremes_by_kpi_mv_key
ON utils_statistics.trades_contract_extremes_by_kpi_mv (report_date, kpi_name, side, rank);
