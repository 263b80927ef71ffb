-- name: lock_day(day)^
-- One post of a date at a time, whether the date is stored already or not.
SELECT pg_advisory_xact_lock(1936617328, :day::date - DATE '2000-01-01');

-- name: select_head(day)^
-- What stands there now, to judge the new one by.
SELECT
    d.version,
    d.updated_at,
    d.digest,
    (d.kpis + d.series_points + d.extremes + d.portfolio_assets) = 0 AS is_empty
FROM metrics_daily AS d
WHERE d.date = :day;

-- name: keep_version(day)!
-- The version about to be replaced is kept whole.
INSERT INTO metrics_daily_versions (
    date, version, updated_at, headline, summary, rows_json, overlay_json, source, kpis, series_points, extremes,
    portfolio_assets, digest, stored_at
)
SELECT
    d.date,
    d.version,
    d.updated_at,
    d.headline,
    d.summary,
    d.rows_json,
    d.overlay_json,
    d.source,
    d.kpis,
    d.series_points,
    d.extremes,
    d.portfolio_assets,
    d.digest,
    d.stored_at
FROM metrics_daily AS d
WHERE d.date = :day;

-- name: replace_archive(day, version, updated_at, headline, summary, rows, overlay, source, counts, digest)!
-- The archive row of a date, new or in place of the one before.
INSERT INTO metrics_daily AS d (
    date, version, updated_at, headline, summary, rows_json, overlay_json, source, kpis, series_points, extremes,
    portfolio_assets, digest
)
VALUES (
    :day, :version, :updated_at, :headline, :summary, :rows, :overlay, :source, (:counts::integer [])[1],
    (:counts::integer [])[2], (:counts::integer [])[3], (:counts::integer [])[4], :digest
)
ON CONFLICT (date) DO UPDATE SET
    version = excluded.version,
    updated_at = excluded.updated_at,
    headline = excluded.headline,
    summary = excluded.summary,
    rows_json = excluded.rows_json,
    overlay_json = excluded.overlay_json,
    source = excluded.source,
    kpis = excluded.kpis,
    series_points = excluded.series_points,
    extremes = excluded.extremes,
    portfolio_assets = excluded.portfolio_assets,
    digest = excluded.digest,
    stored_at = clock_timestamp();

-- name: delete_derived(day)!
-- What was derived from the version before.
WITH kpis AS (DELETE FROM metrics_kpi_values AS k WHERE k.date = :day),

points AS (DELETE FROM metrics_series_points AS p WHERE p.date = :day),

items AS (DELETE FROM metrics_extremes_items AS e WHERE e.date = :day)

DELETE FROM metrics_portfolio_assets AS a WHERE a.date = :day;

-- name: insert_kpis(day, rows)!
-- All KPIs of a snapshot in one statement.
INSERT INTO metrics_kpi_values (date, kpi, value_text, value_num, value_kind, sort_order)
SELECT
    :day::date AS date,
    r.*
FROM json_to_recordset(:rows::json) AS r (
    kpi TEXT, value_text TEXT, value_num NUMERIC, value_kind TEXT, sort_order INTEGER
);

-- name: insert_points(day, kpis, times, vals, sources)!
-- All points of all series in one statement: arrays cost the least to send and to read.
INSERT INTO metrics_series_points (date, kpi, t, v, src)
SELECT
    :day::date AS date,
    r.*
FROM unnest(:kpis::text [], :times::timestamptz [], :vals::numeric [], :sources::text []) AS r;

-- name: insert_extremes(day, rows)!
-- All extremes in one statement.
INSERT INTO metrics_extremes_items (
    date, kpi, side, rank, position, trade_id, trade_id_is_number, symbol, contract_name, metric_raw, metric_abs,
    individual_pnl, abs_individual_pnl, percent_change, cost_basis, qty, bid_price, ask_price, mid_price, mid_ts,
    mid_mark_pnl, liquidity_drag, item_json
)
SELECT
    :day::date AS date,
    r.*
FROM json_to_recordset(:rows::json) AS r (
    kpi TEXT, side TEXT, rank INTEGER, position INTEGER, trade_id TEXT, trade_id_is_number BOOLEAN, symbol TEXT,
    contract_name TEXT, metric_raw NUMERIC, metric_abs NUMERIC, individual_pnl NUMERIC,
    abs_individual_pnl NUMERIC, percent_change NUMERIC, cost_basis NUMERIC, qty NUMERIC, bid_price NUMERIC,
    ask_price NUMERIC, mid_price NUMERIC, mid_ts TIMESTAMPTZ, mid_mark_pnl NUMERIC, liquidity_drag NUMERIC,
    item_json JSON
);

-- name: insert_assets(day, rows)!
-- The whole portfolio in one statement.
INSERT INTO metrics_portfolio_assets (date, trade_id, contract_name, trade_id_is_number, symbol, sort_order)
SELECT
    :day::date AS date,
    r.*
FROM json_to_recordset(:rows::json) AS r (
    trade_id TEXT, contract_name TEXT, trade_id_is_number BOOLEAN, symbol TEXT, sort_order INTEGER
);

-- name: select_archive(day, known)^
-- A date's archive, or the latest; the bulk stays where it is when the reader has it already.
SELECT
    d.date,
    d.updated_at,
    d.headline,
    d.summary,
    d.digest,
    CASE WHEN NOT d.digest = any(:known::text []) THEN d.rows_json::text END AS rows_json,
    CASE WHEN NOT d.digest = any(:known::text []) THEN d.overlay_json::text END AS overlay_json
FROM metrics_daily AS d
WHERE :day::date IS NULL OR d.date = :day
ORDER BY d.date DESC
LIMIT 1;

-- name: select_days(before, limit)
-- The dates that are stored, newest first.
SELECT
    d.date,
    d.updated_at,
    d.headline
FROM metrics_daily AS d
WHERE :before::date IS NULL OR d.date < :before
ORDER BY d.date DESC
LIMIT :limit;

-- name: select_kpis(day)
-- A date's KPIs in the order in which they were sent; one row without a KPI for a date that has none.
SELECT
    day.date,
    k.kpi,
    k.value_text,
    k.value_num,
    k.value_kind,
    k.sort_order
FROM (
    SELECT d.date
    FROM metrics_daily AS d
    WHERE :day::date IS NULL OR d.date = :day
    ORDER BY d.date DESC
    LIMIT 1
) AS day
LEFT JOIN metrics_kpi_values AS k ON day.date = k.date
ORDER BY k.sort_order;

-- name: select_points(day, kpi, since, until, limit)
-- One KPI's series of a date by time; one row without a point when there is none, and whether the KPI is known.
SELECT
    day.date,
    p.t,
    p.v,
    p.src,
    coalesce(
        p.t IS NOT NULL
        OR EXISTS (SELECT 1 FROM metrics_series_points AS s WHERE s.date = day.date AND s.kpi = :kpi)
        OR EXISTS (SELECT 1 FROM metrics_kpi_values AS k WHERE k.date = day.date AND k.kpi = :kpi), FALSE
    ) AS is_known
FROM (
    SELECT d.date
    FROM metrics_daily AS d
    WHERE :day::date IS NULL OR d.date = :day
    ORDER BY d.date DESC
    LIMIT 1
) AS day
LEFT JOIN LATERAL (
    SELECT
        s.t,
        s.v,
        s.src
    FROM metrics_series_points AS s
    WHERE
        s.date = day.date
        AND s.kpi = :kpi
        AND (:since::timestamptz IS NULL OR s.t >= :since)
        AND (:until::timestamptz IS NULL OR s.t <= :until)
    ORDER BY s.t
    LIMIT :limit
) AS p ON TRUE
ORDER BY p.t;

-- name: select_extremes(day, kpi, side, limit)
-- One side of one KPI of a date by rank; one row without an item when there is none, and whether the KPI is known.
SELECT
    day.date,
    e.rank,
    e.trade_id,
    e.trade_id_is_number,
    e.symbol,
    e.contract_name,
    e.metric_raw,
    e.metric_abs,
    e.individual_pnl,
    e.abs_individual_pnl,
    e.percent_change,
    e.cost_basis,
    e.qty,
    e.bid_price,
    e.ask_price,
    e.mid_price,
    e.mid_ts,
    e.mid_mark_pnl,
    e.liquidity_drag,
    e.item_json::text AS item_json,
    coalesce(
        e.rank IS NOT NULL
        OR EXISTS (SELECT 1 FROM metrics_extremes_items AS x WHERE x.date = day.date AND x.kpi = :kpi)
        OR EXISTS (SELECT 1 FROM metrics_kpi_values AS k WHERE k.date = day.date AND k.kpi = :kpi), FALSE
    ) AS is_known
FROM (
    SELECT d.date
    FROM metrics_daily AS d
    WHERE :day::date IS NULL OR d.date = :day
    ORDER BY d.date DESC
    LIMIT 1
) AS day
LEFT JOIN LATERAL (
    SELECT *
    FROM metrics_extremes_items AS x
    WHERE x.date = day.date AND x.kpi = :kpi AND x.side = :side
    ORDER BY x.rank, x.position
    LIMIT :limit
) AS e ON TRUE
ORDER BY e.rank, e.position;

-- name: select_assets(day, symbol, limit)
-- A date's portfolio, in the order in which it was sent; one row without an asset when there is none.
SELECT
    day.date,
    a.trade_id,
    a.trade_id_is_number,
    a.symbol,
    nullif(a.contract_name, '') AS contract_name
FROM (
    SELECT d.date
    FROM metrics_daily AS d
    WHERE :day::date IS NULL OR d.date = :day
    ORDER BY d.date DESC
    LIMIT 1
) AS day
LEFT JOIN LATERAL (
    SELECT *
    FROM metrics_portfolio_assets AS x
    WHERE x.date = day.date AND (:symbol::text IS NULL OR x.symbol = :symbol)
    ORDER BY x.sort_order
    LIMIT :limit
) AS a ON TRUE
ORDER BY a.sort_order;

-- name: select_versions(day, before, limit)
-- The replaced versions of a date, newest first; one row without a version when none was replaced yet.
SELECT
    d.date,
    v.version,
    v.updated_at,
    v.headline,
    v.source,
    v.kpis,
    v.series_points,
    v.extremes,
    v.portfolio_assets,
    v.stored_at,
    v.replaced_at
FROM metrics_daily AS d
LEFT JOIN LATERAL (
    SELECT *
    FROM metrics_daily_versions AS old
    WHERE old.date = d.date AND (:before::bigint IS NULL OR old.version < :before)
    ORDER BY old.version DESC
    LIMIT :limit
) AS v ON TRUE
WHERE d.date = :day
ORDER BY v.version DESC;

-- name: select_version(day, version)^
-- One replaced version, whole.
SELECT
    v.date,
    v.version,
    v.updated_at,
    v.headline,
    v.summary,
    v.source,
    v.replaced_at,
    v.rows_json::text AS rows_json,
    v.overlay_json::text AS overlay_json
FROM metrics_daily_versions AS v
WHERE v.date = :day AND v.version = :version;

-- name: select_trend(kpi, since, until, limit)
-- One KPI over the days: the newest that fit, oldest of them first.
SELECT newest.*
FROM (
    SELECT
        k.date,
        k.value_text,
        k.value_num,
        k.value_kind
    FROM metrics_kpi_values AS k
    WHERE
        k.kpi = :kpi
        AND (:since::date IS NULL OR k.date >= :since)
        AND (:until::date IS NULL OR k.date <= :until)
    ORDER BY k.date DESC
    LIMIT :limit
) AS newest
ORDER BY newest.date;
