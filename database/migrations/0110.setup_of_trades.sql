-- depends: 0101.telemetry_batch_age
-- The setup beside a trade's summary, so that an analysis of many trades need not read each one's whole text. Older
-- code goes on writing the text alone.
ALTER TABLE trade_summary ADD COLUMN setup TEXT GENERATED ALWAYS AS (
    coalesce(
        nullif(trade #>> '{setup,setup_id}', ''),
        nullif(trade #>> '{setup,setup_family}', '') || ' / ' || nullif(trade #>> '{setup,setup_variant}', ''),
        nullif(trade #>> '{setup,setup_family}', ''),
        nullif(trade #>> '{setup,setup_variant}', '')
    )
) STORED;
