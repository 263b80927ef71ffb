-- depends: 0002.phase5_add_telemetry_column
-- A table made by the older system: columns it may lack are added, narrow ones widened. Nothing is rounded
-- or cut: VARCHAR to TEXT and DECIMAL(p, s) to NUMERIC keep every value. On our own table this changes nothing.
ALTER TABLE automated_signals
ADD COLUMN IF NOT EXISTS trade_id TEXT,
ADD COLUMN IF NOT EXISTS event_type TEXT,
ADD COLUMN IF NOT EXISTS direction TEXT,
ADD COLUMN IF NOT EXISTS entry_price NUMERIC,
ADD COLUMN IF NOT EXISTS stop_loss NUMERIC,
ADD COLUMN IF NOT EXISTS risk_distance NUMERIC,
ADD COLUMN IF NOT EXISTS target_1r NUMERIC,
ADD COLUMN IF NOT EXISTS target_2r NUMERIC,
ADD COLUMN IF NOT EXISTS target_3r NUMERIC,
ADD COLUMN IF NOT EXISTS target_5r NUMERIC,
ADD COLUMN IF NOT EXISTS target_10r NUMERIC,
ADD COLUMN IF NOT EXISTS target_20r NUMERIC,
ADD COLUMN IF NOT EXISTS current_price NUMERIC,
ADD COLUMN IF NOT EXISTS mfe NUMERIC,
ADD COLUMN IF NOT EXISTS be_mfe NUMERIC,
ADD COLUMN IF NOT EXISTS no_be_mfe NUMERIC,
ADD COLUMN IF NOT EXISTS exit_price NUMERIC,
ADD COLUMN IF NOT EXISTS final_mfe NUMERIC,
ADD COLUMN IF NOT EXISTS session TEXT,
ADD COLUMN IF NOT EXISTS bias TEXT,
ADD COLUMN IF NOT EXISTS account_size NUMERIC,
ADD COLUMN IF NOT EXISTS risk_percent NUMERIC,
ADD COLUMN IF NOT EXISTS contracts NUMERIC,
ADD COLUMN IF NOT EXISTS risk_amount NUMERIC,
ADD COLUMN IF NOT EXISTS signal_date DATE,
ADD COLUMN IF NOT EXISTS signal_time TIME,
ADD COLUMN IF NOT EXISTS targets JSONB,
ADD COLUMN IF NOT EXISTS created_at TIMESTAMPTZ;

-- Whatever an older system forbade would forbid our rows too: its checks, its references, its unique indexes and
-- its NOT NULLs were made for its own events.
DO $$
DECLARE
    rule TEXT;
BEGIN
    FOR rule IN
        SELECT conname FROM pg_constraint
        WHERE conrelid = 'automated_signals'::regclass AND contype IN ('c', 'f', 'u', 'x')
    LOOP
        EXECUTE format('ALTER TABLE automated_signals DROP CONSTRAINT %I CASCADE', rule);
    END LOOP;
    FOR rule IN
        SELECT i.indexrelid::regclass::text FROM pg_index AS i
        WHERE
            i.indrelid = 'automated_signals'::regclass AND i.indisunique AND NOT i.indisprimary
            AND NOT EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)
    LOOP
        EXECUTE 'DROP INDEX ' || rule;
    END LOOP;
    FOR rule IN
        SELECT attname FROM pg_attribute
        WHERE
            attrelid = 'automated_signals'::regclass AND attnum > 0 AND NOT attisdropped
            AND attnotnull AND attname <> 'id'
    LOOP
        EXECUTE format('ALTER TABLE automated_signals ALTER COLUMN %I DROP NOT NULL', rule);
    END LOOP;
END
$$;

DO $$
DECLARE
    col RECORD;
BEGIN
    FOR col IN
        SELECT column_name, data_type, numeric_precision, column_default
        FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = 'automated_signals'
    LOOP
        IF col.data_type IN ('character varying', 'character') THEN
            EXECUTE format('ALTER TABLE automated_signals ALTER COLUMN %I TYPE text', col.column_name);
        ELSIF
            col.column_name IN (
                'entry_price', 'stop_loss', 'risk_distance', 'target_1r', 'target_2r', 'target_3r', 'target_5r',
                'target_10r', 'target_20r', 'current_price', 'mfe', 'be_mfe', 'no_be_mfe', 'exit_price', 'final_mfe',
                'account_size', 'risk_percent', 'contracts', 'risk_amount'
            )
            AND NOT (col.data_type = 'numeric' AND col.numeric_precision IS NULL)
        THEN
            EXECUTE format('ALTER TABLE automated_signals ALTER COLUMN %I TYPE numeric', col.column_name);
        ELSIF col.column_name IN ('targets', 'telemetry') AND col.data_type IN ('json', 'text') THEN
            EXECUTE format(
                'ALTER TABLE automated_signals ALTER COLUMN %1$I TYPE jsonb USING %1$I::jsonb', col.column_name
            );
        ELSIF col.column_name = 'created_at' AND col.column_default IS NULL THEN
            -- Only from now on: rows that never had it must not seem to be made today.
            ALTER TABLE automated_signals ALTER COLUMN created_at SET DEFAULT clock_timestamp();
        ELSIF col.column_name = 'id' AND col.data_type = 'integer' THEN
            ALTER TABLE automated_signals ALTER COLUMN id TYPE bigint;
        END IF;
    END LOOP;
    IF pg_get_serial_sequence('automated_signals', 'id') IS NOT NULL THEN
        EXECUTE format('ALTER SEQUENCE %s AS bigint', pg_get_serial_sequence('automated_signals', 'id'));
    END IF;
END
$$;
