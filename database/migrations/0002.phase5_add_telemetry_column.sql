-- depends: 0001.create_automated_signals
-- The whole telemetry body beside the flat columns. jsonb_path_ops serves containment, which is what
-- the queries ask for, at a fraction of the default operator class's cost per insert.
ALTER TABLE automated_signals ADD COLUMN IF NOT EXISTS telemetry JSONB;

-- An older system may have made it JSON, which cannot be indexed.
DO $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM information_schema.columns
        WHERE
            table_schema = current_schema() AND table_name = 'automated_signals'
            AND column_name = 'telemetry' AND data_type <> 'jsonb'
    ) THEN
        ALTER TABLE automated_signals ALTER COLUMN telemetry TYPE jsonb USING telemetry::text::jsonb;
    END IF;
END
$$;

CREATE INDEX IF NOT EXISTS idx_automated_signals_telemetry
ON automated_signals USING gin (telemetry jsonb_path_ops);

CREATE INDEX IF NOT EXISTS idx_automated_signals_telemetry_schema
ON automated_signals ((telemetry ->> 'schema_version'));
