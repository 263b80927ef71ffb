-- Never throws snapshots away: with any of them stored the rollback fails and says so.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM metrics_daily) OR EXISTS (SELECT 1 FROM metrics_daily_versions) THEN
        RAISE EXCEPTION 'metrics_daily holds snapshots; move them elsewhere before this rollback';
    END IF;
END
$$;

DROP TABLE metrics_portfolio_assets;

DROP TABLE metrics_extremes_items;

DROP TABLE metrics_series_points;

DROP TABLE metrics_kpi_values;

DROP TABLE metrics_daily_versions;

DROP TABLE metrics_daily;
