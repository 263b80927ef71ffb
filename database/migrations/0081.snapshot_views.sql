-- depends: 0080.snapshots
-- The source of daily snapshots, under the names and columns of the contract, over our own trades: what
-- trade_summary knows (fold what is dirty before refreshing) and the stored alerts. A day is New York's. "Decided" is a
-- completed trade with a known result in R; its day is that of its exit. R values are shown rounded to 4 places.
CREATE SCHEMA utils_statistics;

-- Each decided trade with its day's running numbers, in the order of state.statistics: by exit, then id.
CREATE VIEW utils_statistics.decided_trades AS
SELECT
    ordered.*,
    greatest(
        0, max(ordered.running_r) OVER (
            PARTITION BY ordered.report_date
            ORDER BY ordered.exit_time, ordered.trade_id, ordered.stream_id ROWS UNBOUNDED PRECEDING
        )
    ) - ordered.running_r AS drawdown_r,
    sum(greatest(ordered.realized_r, 0)) OVER running AS gross_profit_r,
    -sum(least(ordered.realized_r, 0)) OVER running AS gross_loss_r,
    count(*) FILTER (WHERE ordered.realized_r > 0) OVER running AS wins,
    count(*) OVER running AS decided
FROM (
    SELECT
        t.stream_id,
        t.trade_id,
        t.symbol,
        t.direction,
        t.entry_time,
        t.exit_time,
        t.realized_r,
        (t.exit_time AT TIME ZONE 'America/New_York')::date AS report_date,
        sum(t.realized_r) OVER (
            PARTITION BY (t.exit_time AT TIME ZONE 'America/New_York')::date
            ORDER BY t.exit_time, t.trade_id, t.stream_id ROWS UNBOUNDED PRECEDING
        ) AS running_r
    FROM trade_summary AS t
    WHERE t.status = 'COMPLETED' AND t.realized_r IS NOT NULL AND t.exit_time IS NOT NULL
) AS ordered
WINDOW running AS (
    PARTITION BY ordered.report_date
    ORDER BY ordered.exit_time, ordered.trade_id, ordered.stream_id ROWS UNBOUNDED PRECEDING
);

-- The days on which anything was heard or happened; on any other there is nothing to send.
CREATE VIEW utils_statistics.trading_days AS
SELECT (s.event_timestamp AT TIME ZONE 'America/New_York')::date AS report_date
FROM automated_signals AS s
UNION
SELECT (t.entry_time AT TIME ZONE 'America/New_York')::date AS report_date
FROM trade_summary AS t
WHERE t.entry_time IS NOT NULL
UNION
SELECT (t.exit_time AT TIME ZONE 'America/New_York')::date AS report_date
FROM trade_summary AS t
WHERE t.status = 'COMPLETED' AND t.exit_time IS NOT NULL;

CREATE MATERIALIZED VIEW utils_statistics.trades_kpi_summary_mv AS
WITH signals AS (
    SELECT
        (s.event_timestamp AT TIME ZONE 'America/New_York')::date AS report_date,
        count(*) AS told
    FROM automated_signals AS s
    GROUP BY 1
),

entries AS (
    SELECT
        (t.entry_time AT TIME ZONE 'America/New_York')::date AS report_date,
        count(*) AS opened
    FROM trade_summary AS t
    WHERE t.entry_time IS NOT NULL
    GROUP BY 1
),

exits AS (
    SELECT
        (t.exit_time AT TIME ZONE 'America/New_York')::date AS report_date,
        count(*) AS closed,
        avg(extract(EPOCH FROM t.exit_time - t.entry_time)) FILTER (WHERE t.exit_time >= t.entry_time) AS hold_seconds
    FROM trade_summary AS t
    WHERE t.status = 'COMPLETED' AND t.exit_time IS NOT NULL
    GROUP BY 1
),

results AS (
    SELECT
        d.report_date,
        sum(d.realized_r) AS daily_r,
        100.0 * max(d.wins) / max(d.decided) AS win_rate,
        max(d.gross_profit_r) / nullif(max(d.gross_loss_r), 0) AS profit_factor,
        avg(d.realized_r) AS expectancy_r,
        max(d.drawdown_r) AS max_drawdown_r,
        max(d.realized_r) AS best_r,
        min(d.realized_r) AS worst_r
    FROM utils_statistics.decided_trades AS d
    GROUP BY d.report_date
)

SELECT
    days.report_date,
    kpi.kpi_name,
    kpi.sort_order,
    coalesce(trim_scale(round(kpi.value, 4)) || kpi.unit, '—') AS display_value
FROM utils_statistics.trading_days AS days
LEFT JOIN signals ON days.report_date = signals.report_date
LEFT JOIN entries ON days.report_date = entries.report_date
LEFT JOIN exits ON days.report_date = exits.report_date
LEFT JOIN results ON days.report_date = results.report_date
CROSS JOIN LATERAL (
    VALUES
    (1, 'Signals', coalesce(signals.told, 0)::numeric, ''),
    (2, 'Entries opened', coalesce(entries.opened, 0)::numeric, ''),
    (3, 'Exits closed', coalesce(exits.closed, 0)::numeric, ''),
    (4, 'Daily R', results.daily_r, ''),
    (5, 'Win rate', results.win_rate, '%'),
    (6, 'Profit factor', results.profit_factor, 'x'),
    (7, 'Expectancy R', results.expectancy_r, ''),
    (8, 'Max drawdown R', results.max_drawdown_r, ''),
    (9, 'Avg hold time', exits.hold_seconds, 's'),
    (10, 'Best R', results.best_r, ''),
    (11, 'Worst R', results.worst_r, '')
) AS kpi (sort_order, kpi_name, value, unit);

CREATE UNIQUE INDEX trades_kpi_summary_mv_key ON utils_statistics.trades_kpi_summary_mv (report_date, kpi_name);

-- Running numbers at each entry and exit; what happened at the same instant counts together.
CREATE MATERIALIZED VIEW utils_statistics.trades_kpi_series_mv AS
WITH decided AS (
    SELECT
        d.*,
        max(d.drawdown_r) OVER (PARTITION BY d.report_date ORDER BY d.exit_time) AS deepest_r,
        row_number() OVER (
            PARTITION BY d.report_date, d.exit_time ORDER BY d.trade_id DESC, d.stream_id DESC
        ) = 1 AS is_last
    FROM utils_statistics.decided_trades AS d
),

points AS (
    SELECT
        d.report_date,
        d.exit_time AS ts,
        kpi.kpi_name,
        kpi.value
    FROM decided AS d
    CROSS JOIN
        LATERAL (
            VALUES
            ('Daily R', d.running_r),
            ('Win rate', 100.0 * d.wins / d.decided),
            ('Profit factor', d.gross_profit_r / nullif(d.gross_loss_r, 0)),
            ('Expectancy R', d.running_r / d.decided),
            ('Max drawdown R', d.deepest_r)
        ) AS kpi (kpi_name, value)
    WHERE d.is_last AND kpi.value IS NOT NULL
    UNION ALL
    SELECT
        moment.report_date,
        moment.ts,
        moment.kpi_name,
        sum(moment.n) OVER (PARTITION BY moment.report_date, moment.kpi_name ORDER BY moment.ts) AS value
    FROM (
        SELECT
            (e.ts AT TIME ZONE 'America/New_York')::date AS report_date,
            e.ts,
            e.kpi_name,
            count(*) AS n
        FROM (
            SELECT
                t.entry_time AS ts,
                'Entries opened' AS kpi_name
            FROM trade_summary AS t
            WHERE t.entry_time IS NOT NULL
            UNION ALL
            SELECT
                t.exit_time AS ts,
                'Exits closed' AS kpi_name
            FROM trade_summary AS t
            WHERE t.status = 'COMPLETED' AND t.exit_time IS NOT NULL
        ) AS e
        GROUP BY 1, 2, 3
    ) AS moment
)

SELECT
    points.report_date,
    points.kpi_name,
    points.ts,
    points.value,
    'alertbook' AS source
FROM points;

CREATE UNIQUE INDEX trades_kpi_series_mv_key ON utils_statistics.trades_kpi_series_mv (report_date, kpi_name, ts);

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
FROM ranked AS r
INNER JOIN trade_summary AS t ON r.stream_id = t.stream_id AND r.trade_id = t.trade_id
LEFT JOIN LATERAL (
    SELECT s.contracts
    FROM automated_signals AS s
    WHERE s.trade_id = t.stream_id AND s.contracts IS NOT NULL
    ORDER BY s.event_timestamp, s.id
    LIMIT 1
) AS size ON TRUE
WHERE r.rank <= 10;

CREATE UNIQUE INDEX trades_contract_extremes_by_kpi_mv_key
ON utils_statistics.trades_contract_extremes_by_kpi_mv (report_date, kpi_name, side, rank);

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
