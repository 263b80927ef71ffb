-- depends: 0003.widen_older_columns
-- What Alertbook knows about an alert beyond the older columns. Every new column has a default or takes
-- NULL, so that older code can go on inserting while a deploy is under way.
ALTER TABLE automated_signals
ADD COLUMN IF NOT EXISTS mae NUMERIC,
ADD COLUMN IF NOT EXISTS symbol TEXT,
ADD COLUMN IF NOT EXISTS exchange TEXT,
ADD COLUMN IF NOT EXISTS strategy_id TEXT,
ADD COLUMN IF NOT EXISTS strategy_name TEXT,
ADD COLUMN IF NOT EXISTS timeframe TEXT,
ADD COLUMN IF NOT EXISTS exit_reason TEXT,
ADD COLUMN IF NOT EXISTS payload_version TEXT,
ADD COLUMN IF NOT EXISTS legacy_payload JSONB,
ADD COLUMN IF NOT EXISTS event_timestamp TIMESTAMPTZ,
ADD COLUMN IF NOT EXISTS event_time_source TEXT,
ADD COLUMN IF NOT EXISTS received_at TIMESTAMPTZ,
ADD COLUMN IF NOT EXISTS event_key TEXT,
ADD COLUMN IF NOT EXISTS original_trade_id TEXT,
ADD COLUMN IF NOT EXISTS warnings JSONB;

-- Fill rows of the older system. The time comes from the best source there is: the telemetry's own time,
-- the timestamp column (epoch, or New York wall clock), New York date and time, or the row's creation.
CREATE FUNCTION pg_temp.read_time(written TEXT) RETURNS TIMESTAMPTZ LANGUAGE plpgsql AS $$
BEGIN
    IF written !~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d' THEN
        RETURN NULL;
    ELSIF written ~ '(Z|[+-]\d\d:?\d\d)$' THEN
        RETURN written::timestamptz;
    END IF;
    RETURN written::timestamp AT TIME ZONE 'America/New_York';
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$$;

-- A wall clock without a zone: older writers put New York's there or their server's, which is UTC. Whichever lies
-- nearer to what else the row says is taken, New York's when it says nothing.
CREATE FUNCTION pg_temp.read_wall(clock TIMESTAMP, near TIMESTAMPTZ) RETURNS TIMESTAMPTZ LANGUAGE sql AS $$
    SELECT CASE
        WHEN
            abs(extract(EPOCH FROM (clock AT TIME ZONE 'UTC') - near))
            < abs(extract(EPOCH FROM (clock AT TIME ZONE 'America/New_York') - near))
            THEN clock AT TIME ZONE 'UTC'
        ELSE clock AT TIME ZONE 'America/New_York'
    END
$$;

CREATE FUNCTION pg_temp.read_epoch(written NUMERIC) RETURNS TIMESTAMPTZ LANGUAGE sql AS $$
    SELECT CASE
        WHEN written BETWEEN 946684800000 AND 4133980800000 THEN to_timestamp(written / 1000.0)
        WHEN written BETWEEN 946684800 AND 4133980800 THEN to_timestamp(written)
    END
$$;

DO $$
DECLARE
    column_type TEXT;
    clock TEXT := 'NULL::timestamptz';
    made TEXT := 'older.created_at';
BEGIN
    SELECT data_type INTO column_type FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = 'automated_signals' AND column_name = 'timestamp';
    IF column_type IN ('bigint', 'integer', 'numeric') THEN
        clock := 'pg_temp.read_epoch(older."timestamp")';
    ELSIF column_type = 'timestamp without time zone' THEN
        clock := 'pg_temp.read_wall(older."timestamp", coalesce(known.wall, known.made))';
    ELSIF column_type = 'timestamp with time zone' THEN
        clock := 'older."timestamp"';
    ELSIF column_type = 'text' THEN
        clock := 'pg_temp.read_time(older."timestamp")';
    END IF;
    SELECT data_type INTO column_type FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = 'automated_signals' AND column_name = 'created_at';
    IF column_type = 'timestamp without time zone' THEN
        made := 'older.created_at AT TIME ZONE ''UTC''';
    END IF;
    EXECUTE format('
        UPDATE automated_signals SET
            original_trade_id = CASE WHEN coalesce(older.trade_id, '''') = '''' THEN coalesce(older.trade_id, ''(null)'') END,
            trade_id = CASE WHEN coalesce(older.trade_id, '''') = '''' THEN ''legacy-null-'' || older.id ELSE older.trade_id END,
            event_key = ''legacy-'' || older.id,
            payload_version = ''older_row'',
            received_at = coalesce(times.made, times.clock, clock_timestamp()),
            event_timestamp = coalesce(times.own, times.clock, times.wall, times.made, clock_timestamp()),
            event_time_source = CASE
                WHEN times.own IS NOT NULL THEN ''iso''
                WHEN times.clock IS NOT NULL THEN ''older_timestamp''
                WHEN times.wall IS NOT NULL THEN ''new_york''
                ELSE ''received''
            END
        FROM automated_signals AS older
        CROSS JOIN LATERAL (
            SELECT
                (older.signal_date + older.signal_time) AT TIME ZONE ''America/New_York'' AS wall,
                %s AS made
        ) AS known
        CROSS JOIN LATERAL (
            SELECT
                pg_temp.read_time(coalesce(
                    older.telemetry #>> ''{attributes,event_timestamp}'', older.telemetry ->> ''event_timestamp''
                )) AS own,
                %s AS clock,
                known.wall,
                known.made
        ) AS times
        WHERE automated_signals.ctid = older.ctid AND automated_signals.event_key IS NULL
    ', made, clock);
END
$$;

ALTER TABLE automated_signals
ALTER COLUMN trade_id SET NOT NULL,
ALTER COLUMN event_key SET DEFAULT 'row-' || gen_random_uuid(),
ALTER COLUMN event_key SET NOT NULL,
ALTER COLUMN payload_version SET DEFAULT 'older_row',
ALTER COLUMN payload_version SET NOT NULL,
ALTER COLUMN received_at SET DEFAULT clock_timestamp(),
ALTER COLUMN received_at SET NOT NULL,
ALTER COLUMN event_timestamp SET DEFAULT clock_timestamp(),
ALTER COLUMN event_timestamp SET NOT NULL,
ALTER COLUMN event_time_source SET DEFAULT 'received',
ALTER COLUMN event_time_source SET NOT NULL;

-- Every key begins with trade_id: the table can be distributed by it.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOR name IN
        SELECT conname FROM pg_constraint
        WHERE conrelid = 'automated_signals'::regclass AND contype IN ('p', 'u')
    LOOP
        EXECUTE format('ALTER TABLE automated_signals DROP CONSTRAINT %I CASCADE', name);
    END LOOP;
END
$$;

ALTER TABLE automated_signals
ADD CONSTRAINT automated_signals_pkey PRIMARY KEY (trade_id, id),
ADD CONSTRAINT automated_signals_event_key UNIQUE (trade_id, event_key);

-- Only rows of older code can break these, and those rows must stay as they are.
ALTER TABLE automated_signals
ADD CONSTRAINT automated_signals_trade_id_length CHECK (length(trade_id) BETWEEN 1 AND 500) NOT VALID,
ADD CONSTRAINT automated_signals_text_lengths CHECK (
    length(event_type) <= 100 AND length(direction) <= 100 AND length(session) <= 100 AND length(bias) <= 100
    AND length(symbol) <= 100 AND length(exchange) <= 100 AND length(strategy_id) <= 100
    AND length(strategy_name) <= 100 AND length(timeframe) <= 100 AND length(exit_reason) <= 2000
) NOT VALID;

-- The feed and the newest alerts.
CREATE INDEX automated_signals_received ON automated_signals (received_at, id);

-- Rows that older code has inserted since: few or none, found at once.
CREATE INDEX automated_signals_older_rows ON automated_signals (id) WHERE event_key LIKE 'row-%';

-- Alerts without a time of their own are repeats within 30 s of the first; this remembers the first.
CREATE TABLE signal_window (
    trade_id TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    event_key TEXT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (trade_id, body_hash)
);

CREATE INDEX signal_window_received ON signal_window (received_at);
