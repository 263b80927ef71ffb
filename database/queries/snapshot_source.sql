-- name: begin_at_one_moment()!
-- The four views are read, or built, from one moment; a refresh beside somebody else's ends with a conflict.
SET LOCAL transaction_isolation TO 'repeatable read';

-- name: select_is_alertbook()$
-- Whether the source is a database of ours, whose summaries are folded when they are read.
SELECT to_regclass('trade_dirty') IS NOT NULL AND to_regclass('trade_summary') IS NOT NULL;

-- name: select_view(view)^
-- What a name stands for: m is a materialized view.
SELECT
    c.relkind,
    c.relispopulated
FROM pg_class AS c
WHERE c.oid = to_regclass(:view);

-- name: refresh_view()!
-- Readers go on reading what was there meanwhile. (The name is put in its place by database.snapshot_source.)
REFRESH MATERIALIZED VIEW CONCURRENTLY utils_statistics.trades_kpi_summary_mv;

-- name: refresh_empty_view()!
-- A view that was never filled cannot be refreshed beside readers.
REFRESH MATERIALIZED VIEW utils_statistics.trades_kpi_summary_mv;

-- name: select_kpis(day)
-- The KPIs in the order in which people read them.
SELECT
    v.kpi_name,
    v.display_value
FROM utils_statistics.trades_kpi_summary_mv AS v
WHERE v.report_date = :day
ORDER BY v.sort_order, v.kpi_name;

-- name: select_series(day)
-- The points of all series.
SELECT
    v.kpi_name,
    v.ts,
    v.value,
    v.source
FROM utils_statistics.trades_kpi_series_mv AS v
WHERE v.report_date = :day
ORDER BY v.kpi_name, v.ts;

-- name: select_extremes(day)
-- The highest and lowest of each KPI by rank.
SELECT
    v.kpi_name,
    v.side,
    v.rank,
    v.trade_id,
    v.symbol,
    v.contract_name,
    v.metric_raw,
    v.metric_abs,
    v.individual_pnl,
    v.abs_individual_pnl,
    v.percent_change,
    v.cost_basis,
    v.qty,
    v.bid_price,
    v.ask_price,
    v.mid_price,
    v.mid_ts,
    v.mid_mark_pnl,
    v.liquidity_drag
FROM utils_statistics.trades_contract_extremes_by_kpi_mv AS v
WHERE v.report_date = :day
ORDER BY v.kpi_name, v.side, v.rank;

-- name: select_portfolio(day)
-- The open positions, newest first as before.
SELECT
    v.trade_id,
    v.symbol,
    v.contract_name
FROM utils_statistics.trades_portfolio_assets_mv AS v
WHERE v.report_date = :day
ORDER BY v.trade_id DESC, v.contract_name ASC;
