-- depends: 0006.notices
-- Daily snapshots: the archive row of each date and what is derived from it, replaced together in one transaction.
-- No foreign keys between them: that transaction is what keeps them together, and 6,000 checks a post are not free.
CREATE TABLE metrics_daily (
    date DATE PRIMARY KEY,
    version BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    headline TEXT NOT NULL,
    summary TEXT NOT NULL,
    rows_json JSON NOT NULL,
    overlay_json JSON NOT NULL,
    source TEXT NOT NULL,
    kpis INTEGER NOT NULL,
    series_points INTEGER NOT NULL,
    extremes INTEGER NOT NULL,
    portfolio_assets INTEGER NOT NULL,
    digest TEXT NOT NULL,
    stored_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

-- Every version that was replaced, whole.
CREATE TABLE metrics_daily_versions (
    date DATE NOT NULL,
    version BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    headline TEXT NOT NULL,
    summary TEXT NOT NULL,
    rows_json JSON NOT NULL,
    overlay_json JSON NOT NULL,
    source TEXT NOT NULL,
    kpis INTEGER NOT NULL,
    series_points INTEGER NOT NULL,
    extremes INTEGER NOT NULL,
    portfolio_assets INTEGER NOT NULL,
    digest TEXT NOT NULL,
    stored_at TIMESTAMPTZ NOT NULL,
    replaced_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (date, version)
);

CREATE TABLE metrics_kpi_values (
    date DATE NOT NULL,
    kpi TEXT NOT NULL,
    value_text TEXT NOT NULL,
    value_num NUMERIC,
    value_kind TEXT NOT NULL CHECK (value_kind IN ('currency', 'percent', 'duration', 'number', 'ratio', 'text')),
    sort_order INTEGER NOT NULL,
    PRIMARY KEY (date, kpi)
);

-- One KPI over many days.
CREATE INDEX metrics_kpi_values_kpi ON metrics_kpi_values (kpi, date);

CREATE TABLE metrics_series_points (
    date DATE NOT NULL,
    kpi TEXT NOT NULL,
    t TIMESTAMPTZ NOT NULL,
    v NUMERIC NOT NULL,
    src TEXT,
    PRIMARY KEY (date, kpi, t)
);

-- Ranks may tie, so the place in the sent list completes the key.
CREATE TABLE metrics_extremes_items (
    date DATE NOT NULL,
    kpi TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('hi', 'lo')),
    rank INTEGER NOT NULL,
    position INTEGER NOT NULL,
    trade_id TEXT,
    trade_id_is_number BOOLEAN NOT NULL,
    symbol TEXT,
    contract_name TEXT,
    metric_raw NUMERIC,
    metric_abs NUMERIC,
    individual_pnl NUMERIC,
    abs_individual_pnl NUMERIC,
    percent_change NUMERIC,
    cost_basis NUMERIC,
    qty NUMERIC,
    bid_price NUMERIC,
    ask_price NUMERIC,
    mid_price NUMERIC,
    mid_ts TIMESTAMPTZ,
    mid_mark_pnl NUMERIC,
    liquidity_drag NUMERIC,
    item_json JSON NOT NULL,
    PRIMARY KEY (date, kpi, side, rank, position)
);

-- An asset without a contract has '' there: the key takes no NULL.
CREATE TABLE metrics_portfolio_assets (
    date DATE NOT NULL,
    trade_id TEXT NOT NULL,
    contract_name TEXT NOT NULL,
    trade_id_is_number BOOLEAN NOT NULL,
    symbol TEXT,
    sort_order INTEGER NOT NULL,
    PRIMARY KEY (date, trade_id, contract_name)
);
