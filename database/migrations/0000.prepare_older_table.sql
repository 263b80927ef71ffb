-- A table of the older system may hold what the migrations after this one cannot take: text where they expect JSON or
-- numbers, ids that repeat, columns under our names with another meaning, views that forbid a change of type. This
-- brings such a table to what they expect. Whatever a conversion cannot say again as it was is kept beside it, in a
-- column older_<name>. On a fresh database, and on our own table, it does nothing.
CREATE FUNCTION pg_temp.as_number(written TEXT) RETURNS NUMERIC LANGUAGE sql AS $$
    SELECT CASE
        WHEN btrim(written) ~ '^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$' THEN btrim(written)::numeric
        WHEN btrim(written) ~ '^\$?\d{1,3}(,\d{3})+(\.\d+)?$' THEN replace(ltrim(btrim(written), '$'), ',', '')::numeric
    END
$$;

-- Text that is no JSON is kept as a JSON string; JSON that was written as text twice is read twice.
CREATE FUNCTION pg_temp.as_json(written TEXT) RETURNS JSONB LANGUAGE plpgsql AS $$
DECLARE
    found JSONB;
BEGIN
    found := written::jsonb;
    IF jsonb_typeof(found) = 'string' AND found #>> '{}' ~ '^\s*[{\[]' THEN
        found := (found #>> '{}')::jsonb;
    END IF;
    RETURN found;
EXCEPTION WHEN data_exception THEN
    RETURN coalesce(found, to_jsonb(written));
END
$$;

CREATE FUNCTION pg_temp.as_date(written TEXT) RETURNS DATE LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN written ~ '^\s*\d' THEN written::date END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$$;

CREATE FUNCTION pg_temp.as_time(written TEXT) RETURNS TIME LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN written ~ '^\s*\d' THEN written::time END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$$;

-- An instant as epoch seconds or milliseconds, or as a clock with its zone or in UTC.
CREATE FUNCTION pg_temp.as_instant(written TEXT) RETURNS TIMESTAMPTZ LANGUAGE plpgsql AS $$
BEGIN
    IF written ~ '^\s*\d{9,10}(\.\d+)?\s*$' THEN
        RETURN to_timestamp(written::numeric);
    ELSIF written ~ '^\s*\d{12,13}(\.\d+)?\s*$' THEN
        RETURN to_timestamp(written::numeric / 1000.0);
    ELSIF written ~ '^\s*\d' THEN
        RETURN written::timestamptz;
    END IF;
    RETURN NULL;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$$;

-- One column to another type. `keeps` says that even values that can be converted lose something by it.
CREATE FUNCTION pg_temp.convert(name TEXT, kind TEXT, made_by TEXT, keeps BOOLEAN) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    made CONSTANT TEXT := format(made_by, name);
    default_made TEXT;
    lost BOOLEAN;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM automated_signals WHERE %1$I IS NOT NULL AND (%2$L OR (%3$s) IS NULL))',
                   name, keeps, made) INTO lost;
    IF lost THEN
        EXECUTE format('ALTER TABLE automated_signals ADD COLUMN %I TEXT', 'older_' || name);
        EXECUTE format('UPDATE automated_signals SET %1$I = %2$I::text WHERE %2$I IS NOT NULL AND (%3$L OR (%4$s) IS NULL)',
                       'older_' || name, name, keeps, made);
    END IF;
    SELECT pg_get_expr(d.adbin, d.adrelid) INTO default_made
    FROM pg_attribute AS a
    INNER JOIN pg_attrdef AS d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE a.attrelid = 'automated_signals'::regclass AND a.attname = name AND a.attgenerated = '';
    EXECUTE format('ALTER TABLE automated_signals ALTER COLUMN %I DROP DEFAULT', name);
    EXECUTE format('ALTER TABLE automated_signals ALTER COLUMN %I TYPE %s USING (%s)', name, kind, made);
    -- created_at gets a default of its own: rows of ours rely on it
    IF default_made IS NOT NULL AND name <> 'created_at' THEN
        BEGIN
            EXECUTE format('ALTER TABLE automated_signals ALTER COLUMN %I SET DEFAULT (%s)::text::%s', name, default_made, kind);
        EXCEPTION WHEN OTHERS THEN
            RAISE NOTICE 'the default of %, %, does not fit its new type and was left out', name, default_made;
        END;
    END IF;
END
$$;

-- A number of its own for every row, given out by a sequence that belongs to the column.
CREATE FUNCTION pg_temp.number_rows() RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    kind TEXT;
    known REGCLASS;
    owned NAME;
    broken BOOLEAN := FALSE;
BEGIN
    SELECT format_type(a.atttypid, NULL) INTO kind FROM pg_attribute AS a
    WHERE a.attrelid = 'automated_signals'::regclass AND a.attname = 'id' AND NOT a.attisdropped;
    IF kind IN ('smallint', 'integer', 'bigint', 'numeric') THEN
        EXECUTE 'SELECT EXISTS (SELECT 1 FROM automated_signals WHERE id IS NULL OR id <> trunc(id))
            OR (SELECT count(*) <> count(DISTINCT id) FROM automated_signals)' INTO broken;
    END IF;
    IF kind IS NOT NULL AND (broken OR kind NOT IN ('smallint', 'integer', 'bigint', 'numeric')) THEN
        FOR owned IN
            SELECT c.conname FROM pg_constraint AS c WHERE c.conrelid = 'automated_signals'::regclass AND c.contype = 'p'
        LOOP
            EXECUTE format('ALTER TABLE automated_signals DROP CONSTRAINT %I CASCADE', owned);
        END LOOP;
        ALTER TABLE automated_signals RENAME COLUMN id TO older_id;
        ALTER TABLE automated_signals ALTER COLUMN older_id DROP NOT NULL;
        kind := NULL;
    END IF;
    IF kind IS NULL THEN
        ALTER TABLE automated_signals ADD COLUMN id BIGSERIAL;
        RETURN;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_attribute AS a
               WHERE a.attrelid = 'automated_signals'::regclass AND a.attname = 'id' AND a.attidentity = 'a') THEN
        ALTER TABLE automated_signals ALTER COLUMN id SET GENERATED BY DEFAULT;
    END IF;
    IF kind <> 'bigint' THEN
        ALTER TABLE automated_signals ALTER COLUMN id TYPE BIGINT;
    END IF;
    known := pg_get_serial_sequence('automated_signals', 'id');
    IF known IS NULL THEN
        CREATE SEQUENCE automated_signals_number_seq OWNED BY automated_signals.id;
        ALTER TABLE automated_signals ALTER COLUMN id SET DEFAULT nextval('automated_signals_number_seq');
        known := 'automated_signals_number_seq';
    END IF;
    EXECUTE format('ALTER SEQUENCE %s AS bigint', known);
    EXECUTE format('SELECT setval(%L, greatest((SELECT max(id) FROM automated_signals), (SELECT last_value FROM %s)))',
                   known, known);
END
$$;

DO $$
DECLARE
    one RECORD;
    made TEXT;
    odd BOOLEAN;
    prepared CONSTANT REGCLASS := to_regclass(quote_ident(current_schema()) || '.automated_signals');
BEGIN
    IF prepared IS NULL OR EXISTS (
        SELECT 1 FROM pg_constraint WHERE conrelid = prepared AND conname = 'automated_signals_event_key'
    ) THEN
        RETURN;
    END IF;
    SELECT pg_get_userbyid(relowner) AS owner INTO one FROM pg_class WHERE oid = prepared;
    IF NOT pg_has_role(one.owner, 'USAGE') THEN
        RAISE EXCEPTION 'automated_signals belongs to the role %: run the upgrade as that role, or give the table to %',
            one.owner, current_user;
    END IF;
    SET LOCAL datestyle = 'ISO, MDY';
    SET LOCAL timezone = 'UTC';
    LOCK TABLE automated_signals IN ACCESS EXCLUSIVE MODE;

    -- What hangs on the columns steps aside: views are made again below, triggers by the last migration of this kind.
    CREATE TEMP TABLE older_view ON COMMIT DROP AS
    WITH RECURSIVE hanging AS (
        SELECT r.ev_class AS view, 1 AS depth
        FROM pg_depend AS d INNER JOIN pg_rewrite AS r ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
        WHERE d.refobjid = prepared AND r.ev_class <> prepared
        UNION
        SELECT r.ev_class, h.depth + 1
        FROM hanging AS h
        INNER JOIN pg_depend AS d ON h.view = d.refobjid AND d.classid = 'pg_rewrite'::regclass
        INNER JOIN pg_rewrite AS r ON d.objid = r.oid AND r.ev_class <> h.view
        WHERE h.depth < 50
    )
    SELECT
        h.view,
        max(h.depth) AS depth,
        min(h.view::regclass::text) AS name,
        min(CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END) AS kind,
        min(rtrim(pg_get_viewdef(h.view), ';')) AS query,
        min(quote_ident(pg_get_userbyid(c.relowner))) AS owner,
        min(array_to_string(c.reloptions, ', ')) AS options,
        min(obj_description(h.view, 'pg_class')) AS about,
        (SELECT array_agg(pg_get_indexdef(i.indexrelid)) FROM pg_index AS i WHERE i.indrelid = h.view) AS indexes,
        (
            SELECT array_agg(format('%s ON %s TO %s', a.privilege_type, h.view::regclass,
                             CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END))
            FROM pg_class AS g, aclexplode(g.relacl) AS a WHERE g.oid = h.view AND a.grantee <> g.relowner
        ) AS grants
    FROM hanging AS h INNER JOIN pg_class AS c ON h.view = c.oid
    GROUP BY h.view;
    FOR one IN SELECT * FROM older_view ORDER BY depth DESC LOOP
        EXECUTE format('DROP %s %s', one.kind, one.name);
    END LOOP;
    CREATE TABLE older_trigger (name TEXT NOT NULL);
    FOR one IN SELECT tgname FROM pg_trigger WHERE tgrelid = prepared AND NOT tgisinternal AND tgenabled <> 'D' LOOP
        EXECUTE format('ALTER TABLE automated_signals DISABLE TRIGGER %I', one.tgname);
        INSERT INTO older_trigger (name) VALUES (one.tgname);
    END LOOP;
    FOR one IN
        SELECT c.conname FROM pg_constraint AS c
        WHERE c.conrelid = prepared AND c.contype = 'p' AND c.conkey <> ARRAY(
            SELECT a.attnum FROM pg_attribute AS a WHERE a.attrelid = prepared AND a.attname = 'id'
        )
    LOOP
        EXECUTE format('ALTER TABLE automated_signals DROP CONSTRAINT %I CASCADE', one.conname);
    END LOOP;
    FOR one IN SELECT attname FROM pg_attribute WHERE attrelid = prepared AND attgenerated = 's' AND NOT attisdropped LOOP
        EXECUTE format('ALTER TABLE automated_signals ALTER COLUMN %I DROP EXPRESSION', one.attname);
    END LOOP;

    -- Our own names may not stand for something else.
    FOR one IN
        SELECT a.attname FROM pg_attribute AS a
        WHERE
            a.attrelid = prepared AND NOT a.attisdropped
            AND a.attname IN (
                'event_timestamp', 'event_time_source', 'received_at', 'event_key', 'payload_version',
                'original_trade_id', 'warnings', 'position'
            )
    LOOP
        EXECUTE format('ALTER TABLE automated_signals RENAME COLUMN %I TO %I', one.attname, 'older_' || one.attname);
    END LOOP;
    PERFORM pg_temp.number_rows();

    FOR one IN
        SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS kind, wanted.kind AS wanted
        FROM pg_attribute AS a
        INNER JOIN (
            SELECT unnest(ARRAY[
                'trade_id', 'event_type', 'direction', 'session', 'bias', 'symbol', 'exchange', 'strategy_id',
                'strategy_name', 'timeframe', 'exit_reason'
            ]) AS name, 'text' AS kind
            UNION ALL
            SELECT unnest(ARRAY[
                'entry_price', 'stop_loss', 'risk_distance', 'target_1r', 'target_2r', 'target_3r', 'target_5r',
                'target_10r', 'target_20r', 'current_price', 'mfe', 'be_mfe', 'no_be_mfe', 'mae', 'exit_price',
                'final_mfe', 'account_size', 'risk_percent', 'contracts', 'risk_amount'
            ]), 'numeric'
            UNION ALL
            SELECT unnest(ARRAY['telemetry', 'targets', 'legacy_payload']), 'jsonb'
            UNION ALL
            VALUES ('signal_date', 'date'), ('signal_time', 'time'), ('created_at', 'timestamptz')
        ) AS wanted ON a.attname = wanted.name
        WHERE a.attrelid = prepared AND a.attnum > 0 AND NOT a.attisdropped
    LOOP
        made := CASE
            WHEN one.wanted = 'text' AND one.kind <> 'text' THEN '%I::text'
            WHEN one.wanted = 'numeric' AND one.kind ~ '^(smallint|integer|bigint|numeric\()' THEN '%I::numeric'
            -- by its text a binary fraction keeps every digit that it shows
            WHEN one.wanted = 'numeric' AND one.kind IN ('real', 'double precision') THEN '%I::text::numeric'
            WHEN one.wanted = 'numeric' AND one.kind <> 'numeric' THEN 'pg_temp.as_number(%I::text)'
            WHEN one.wanted = 'jsonb' AND one.kind <> 'jsonb' THEN 'pg_temp.as_json(%I::text)'
            WHEN one.wanted = 'date' AND one.kind ~ '^timestamp' THEN '%I::date'
            WHEN one.wanted = 'date' AND one.kind <> 'date' THEN 'pg_temp.as_date(%I::text)'
            WHEN one.wanted = 'time' AND one.kind ~ '^time' AND one.kind !~ '^time(\(\d\))? without' THEN '%I::time'
            WHEN one.wanted = 'time' AND one.kind !~ '^time' THEN 'pg_temp.as_time(%I::text)'
            WHEN one.wanted = 'timestamptz' AND one.kind !~ '^timestamp' THEN 'pg_temp.as_instant(%I::text)'
        END;
        IF made IS NOT NULL THEN
            PERFORM pg_temp.convert(one.name, one.wanted, made, one.wanted IN ('date', 'time') AND one.kind ~ '^time');
        END IF;
        IF one.wanted = 'jsonb' THEN
            ALTER TABLE automated_signals ADD COLUMN IF NOT EXISTS warnings JSONB;
            EXECUTE format('
                UPDATE automated_signals SET warnings = coalesce(warnings, ''[]'') || jsonb_build_object(
                    ''field'', %1$L, ''code'', ''NOT_JSON'',
                    ''message'', ''this was no JSON in the older table and is kept as its text''
                ) WHERE jsonb_typeof(%1$I) = ''string''', one.name);
        END IF;
    END LOOP;
    -- No reader of ours knows a time beyond the calendar, nor the 24th hour.
    FOR one IN
        SELECT
            a.attname AS name,
            CASE WHEN a.atttypid = 'time'::regtype THEN '%1$I < ''24:00'''
                 ELSE '%1$I BETWEEN ''0001-01-02'' AND ''9999-12-30''' END AS sound
        FROM pg_attribute AS a
        WHERE
            a.attrelid = prepared AND a.attnum > 0 AND NOT a.attisdropped
            AND a.atttypid IN ('date'::regtype, 'time'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM automated_signals WHERE NOT (' || one.sound || '))', one.name) INTO odd;
        IF odd THEN
            EXECUTE format('ALTER TABLE automated_signals ADD COLUMN IF NOT EXISTS %1$I TEXT, ALTER COLUMN %2$I DROP NOT NULL',
                           'older_' || one.name, one.name);
            EXECUTE format('UPDATE automated_signals SET %2$I = %1$I::text, %1$I = NULL WHERE NOT (' || one.sound || ')',
                           one.name, 'older_' || one.name);
        END IF;
    END LOOP;
    ALTER TABLE automated_signals ADD COLUMN IF NOT EXISTS trade_id TEXT;
    IF EXISTS (SELECT 1 FROM automated_signals WHERE length(automated_signals.trade_id) > 500) THEN
        ALTER TABLE automated_signals ADD COLUMN older_trade_id TEXT;
        UPDATE automated_signals SET older_trade_id = trade_id, trade_id = 'legacy-long-' || id
        WHERE length(trade_id) > 500;
    END IF;

    FOR one IN SELECT * FROM older_view ORDER BY depth LOOP
        BEGIN
            EXECUTE format('CREATE %s %s %s AS %s', one.kind, one.name, 'WITH (' || one.options || ')', one.query);
        EXCEPTION WHEN OTHERS THEN
            RAISE EXCEPTION 'the view % cannot be made again on the upgraded table (%): drop it, upgrade, create it anew',
                one.name, SQLERRM;
        END;
        EXECUTE format('ALTER %s %s OWNER TO %s', one.kind, one.name, one.owner);
        EXECUTE format('COMMENT ON %s %s IS %L', one.kind, one.name, one.about);
        FOR made IN SELECT unnest(one.indexes) LOOP
            EXECUTE made;
        END LOOP;
        FOR made IN SELECT unnest(one.grants) LOOP
            EXECUTE 'GRANT ' || made;
        END LOOP;
    END LOOP;
END
$$;
