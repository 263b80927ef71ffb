-- name: select_older_rows(limit)
-- Rows that older code inserted beside us, whole: their best time may stand in columns that only it knows.
SELECT
    s.trade_id,
    s.id,
    to_jsonb(s.*) AS whole
FROM automated_signals AS s
WHERE s.event_key LIKE 'row-%%'
LIMIT :limit;

-- name: adopt_older_rows(rows)
-- Gives them their lasting key and their time; a row that somebody else adopted meanwhile is left alone.
WITH adopted AS (
    UPDATE automated_signals AS s
    SET
        event_key = 'legacy-' || s.id::text,
        event_timestamp = coalesce(r.event_timestamp, s.event_timestamp),
        event_time_source = coalesce(r.event_time_source, s.event_time_source)
    FROM
        jsonb_to_recordset(:rows::jsonb)
            AS r (trade_id TEXT, id BIGINT, event_timestamp TIMESTAMPTZ, event_time_source TEXT)
    WHERE s.trade_id = r.trade_id AND s.id = r.id AND s.event_key LIKE 'row-%%'
    RETURNING s.trade_id, s.id
),

marked AS (
    INSERT INTO trade_dirty (trade_id)
    SELECT adopted.trade_id
    FROM adopted
    GROUP BY adopted.trade_id
)

INSERT INTO feed_pending (trade_id, event_id)
SELECT
    adopted.trade_id,
    adopted.id
FROM adopted
ON CONFLICT DO NOTHING
RETURNING 1;

-- name: select_dirty(limit)
-- Streams whose summary is out of date, by the first marks.
SELECT
    d.trade_id,
    count(*) AS marks
FROM (
    SELECT trade_dirty.trade_id
    FROM trade_dirty
    LIMIT :limit
) AS d
GROUP BY d.trade_id
ORDER BY d.trade_id;

-- name: lock_free_streams(trade_ids, limit)
-- Those of the streams that nobody folds at this moment, now held: two readers at once fold different ones.
SELECT ids.trade_id
FROM (SELECT unnest(:trade_ids::text []) AS trade_id) AS ids
WHERE pg_try_advisory_xact_lock(1097622100, hashtext(ids.trade_id))
LIMIT :limit;

-- name: select_marks()^
-- The number of the newest mark, and whether there are any. (LIMIT: where tables are spread, each server would
-- otherwise send all of its rows to be asked for one.)
SELECT
    exists(SELECT 1 FROM trade_dirty LIMIT 1) AS dirty,
    coalesce(pg_sequence_last_value(pg_get_serial_sequence('trade_dirty', 'seq')::regclass), 0) AS newest;

-- name: select_work()^
-- Whether any summary or any day's results are out of date, and whether older code left rows to be adopted.
SELECT
    exists(SELECT 1 FROM trade_dirty LIMIT 1) AS dirty,
    exists(SELECT 1 FROM result_day_dirty LIMIT 1) AS days,
    exists(SELECT 1 FROM automated_signals AS s WHERE s.event_key LIKE 'row-%%' LIMIT 1) AS older;

-- name: lock_streams(trade_ids)
-- One fold at a time per stream: a later one waits here, then finds nothing left to do. What a fold writes can be
-- folded again, marks and all, so it need not wait for the disk.
SELECT
    set_config('synchronous_commit', 'off', TRUE) AS durable,
    pg_advisory_xact_lock(1097622100, hashtext(ids.trade_id)) AS held
FROM (SELECT unnest(:trade_ids::text []) AS trade_id ORDER BY 1) AS ids;

-- name: select_dirty_rows(trade_ids)
-- The marks as seen before the events are read: exactly these are removed afterwards.
SELECT
    d.trade_id,
    d.seq,
    d.since
FROM trade_dirty AS d
WHERE d.trade_id = any(:trade_ids);

-- name: select_parts(stream_ids)
-- What streams have contributed to the totals so far.
SELECT
    t.trade_id,
    t.status,
    t.session,
    t.uncertain,
    t.trade_time,
    t.exit_time,
    t.event_count,
    t.max_mfe,
    t.realized_r,
    t.realized_points
FROM trade_summary AS t
WHERE t.stream_id = any(:stream_ids);

-- name: select_known(trade_id)^
-- What is known of a trade, while it is what our own fold told of just these events.
SELECT
    t.trade,
    t.event_ids
FROM trade_summary AS t
WHERE
    t.stream_id = :trade_id
    AND t.trade_id = :trade_id
    AND t.event_ids IS NOT NULL
    AND t.fold_mark = hashtextextended(t.trade::text, 0);

-- name: forget_folds(trade_ids)!
-- The next fold of these is a whole one.
UPDATE trade_summary SET fold_mark = NULL
WHERE trade_summary.stream_id = any(:trade_ids);

-- name: replace_summaries(trade_ids, rows)!
-- What the fold gave takes the place of what stood there; a stream without events loses its summary.
WITH incoming AS MATERIALIZED (
    SELECT *
    FROM
        json_to_recordset(:rows::json) AS r (
            stream_id TEXT, trade_id TEXT, status TEXT, direction TEXT, symbol TEXT, strategy_id TEXT,
            strategy TEXT, timeframe TEXT, session TEXT, trade_time TIMESTAMPTZ, entry_time TIMESTAMPTZ,
            exit_time TIMESTAMPTZ, last_event_time TIMESTAMPTZ, realized_r NUMERIC, max_mfe NUMERIC,
            be_mfe NUMERIC, no_be_mfe NUMERIC, mae NUMERIC, event_count BIGINT, anomalies TEXT [], trade JSON,
            realized_points NUMERIC, uncertain BOOLEAN, event_ids BIGINT []
        )
),

stale AS (
    DELETE FROM trade_summary AS t
    WHERE
        t.stream_id = any(:trade_ids)
        AND NOT EXISTS (
            SELECT 1
            FROM incoming
            WHERE incoming.stream_id = t.stream_id AND incoming.trade_id = t.trade_id
        )
)

INSERT INTO trade_summary (
    stream_id, trade_id, status, direction, symbol, strategy_id, strategy, timeframe, session, trade_time,
    entry_time, exit_time, last_event_time, realized_r, max_mfe, be_mfe, no_be_mfe, mae, event_count, anomalies,
    trade, realized_points, uncertain, event_ids, fold_mark
)
SELECT
    i.stream_id,
    i.trade_id,
    i.status,
    i.direction,
    i.symbol,
    i.strategy_id,
    i.strategy,
    i.timeframe,
    i.session,
    i.trade_time,
    i.entry_time,
    i.exit_time,
    i.last_event_time,
    i.realized_r,
    i.max_mfe,
    i.be_mfe,
    i.no_be_mfe,
    i.mae,
    i.event_count,
    i.anomalies,
    i.trade,
    i.realized_points,
    i.uncertain,
    i.event_ids,
    hashtextextended(i.trade::text, 0) AS fold_mark
FROM incoming AS i
ON CONFLICT (stream_id, trade_id) DO UPDATE SET
    status = excluded.status,
    direction = excluded.direction,
    symbol = excluded.symbol,
    strategy_id = excluded.strategy_id,
    strategy = excluded.strategy,
    timeframe = excluded.timeframe,
    session = excluded.session,
    trade_time = excluded.trade_time,
    entry_time = excluded.entry_time,
    exit_time = excluded.exit_time,
    last_event_time = excluded.last_event_time,
    realized_r = excluded.realized_r,
    max_mfe = excluded.max_mfe,
    be_mfe = excluded.be_mfe,
    no_be_mfe = excluded.no_be_mfe,
    mae = excluded.mae,
    event_count = excluded.event_count,
    anomalies = excluded.anomalies,
    trade = excluded.trade,
    realized_points = excluded.realized_points,
    uncertain = excluded.uncertain,
    event_ids = excluded.event_ids,
    fold_mark = excluded.fold_mark;

-- name: insert_gaps(rows)!
-- The gaps that the fold found.
INSERT INTO position_gap (stream_id, gap_id, after_time, before_time, expected, found)
SELECT
    r.stream_id,
    r.gap_id,
    r.after_time,
    r.before_time,
    r.expected,
    r.found
FROM
    jsonb_to_recordset(:rows::jsonb) AS r (
        stream_id TEXT, gap_id TEXT, after_time TIMESTAMPTZ, before_time TIMESTAMPTZ, expected JSONB, found JSONB
    );

-- name: select_gaps(before_time, before_id, limit)
-- Alerts that never came, newest first.
SELECT
    g.stream_id,
    g.gap_id,
    g.after_time,
    g.before_time,
    g.expected,
    g.found
FROM position_gap AS g
WHERE :before_time::timestamptz IS NULL OR (g.before_time, g.gap_id) < (:before_time, :before_id::text)
ORDER BY g.before_time DESC, g.gap_id DESC
LIMIT :limit;

-- name: delete_dirty_rows(trade_ids, seqs)!
-- Removes the marks that this fold has dealt with; marks made since then stay.
DELETE FROM trade_dirty AS d
USING unnest(:trade_ids::text [], :seqs::bigint []) WITH ORDINALITY AS seen (trade_id, seq, n)
WHERE d.trade_id = seen.trade_id AND d.seq = seen.seq;

-- name: select_trade(trade_id)^
-- One trade's text, and while it stands its events in the fold's order with the version of each row (xmin: whoever
-- changes a row leaves another). Every table is asked by the id itself, so that one server knows all.
WITH known AS (
    SELECT
        t.event_ids,
        t.trade::text AS trade,
        t.event_ids IS NOT NULL
        AND t.fold_mark = hashtextextended(t.trade::text, 0)
        AND NOT EXISTS (SELECT 1 FROM trade_dirty AS d WHERE d.trade_id = :trade_id)
        AND NOT EXISTS (
            SELECT 1 FROM automated_signals AS o
            WHERE o.trade_id = :trade_id AND o.event_key LIKE 'row-%%'
        ) AS stands
    FROM trade_summary AS t
    WHERE t.stream_id = :trade_id AND t.trade_id = :trade_id
)

SELECT
    known.trade,
    CASE WHEN known.stands THEN (
        SELECT string_agg(s.id || '.' || s.xmin::text, ',' ORDER BY o.place) AS versions
        FROM unnest(known.event_ids) WITH ORDINALITY AS o (id, place)
        INNER JOIN automated_signals AS s ON s.trade_id = :trade_id AND o.id = s.id
    ) END AS versions
FROM known;

-- name: select_trades(status, direction, session, symbol, strategy, since, until, before_time, before_id, limit)
-- A page of trades, newest first; every filter is optional. The text is read of the page alone, whatever is sorted.
WITH page AS (
    SELECT
        t.trade_time,
        t.trade_id,
        t.stream_id,
        t.symbol,
        t.realized_points,
        t.trade
    FROM trade_summary AS t
    WHERE
        (:status::text [] IS NULL OR t.status = any(:status))
        AND (:direction::text IS NULL OR t.direction = :direction)
        AND (:session::text IS NULL OR t.session = :session)
        AND (:symbol::text IS NULL OR t.symbol = :symbol)
        AND (:strategy::text IS NULL OR t.strategy_id = :strategy)
        AND (:since::timestamptz IS NULL OR t.trade_time >= :since)
        AND (:until::timestamptz IS NULL OR t.trade_time < :until)
        AND (:before_time::timestamptz IS NULL OR (t.trade_time, t.trade_id) < (:before_time, :before_id::text))
    ORDER BY t.trade_time DESC, t.trade_id DESC
    LIMIT :limit
)

SELECT
    page.trade_time,
    page.trade_id,
    page.stream_id,
    page.symbol,
    page.realized_points,
    page.trade::text AS trade
FROM page
ORDER BY page.trade_time DESC, page.trade_id DESC;

-- name: select_days(status, direction, session, symbol, strategy, since, until)
-- Sums per New York day, oldest first.
SELECT
    (t.trade_time AT TIME ZONE 'America/New_York')::date AS day,
    count(*) AS trades,
    sum(t.be_mfe) AS be_sum,
    count(t.be_mfe) AS be_n,
    sum(t.no_be_mfe) AS no_be_sum,
    count(t.no_be_mfe) AS no_be_n,
    sum(t.max_mfe) AS max_sum,
    count(t.max_mfe) AS max_n,
    sum(t.realized_r) AS total_r
FROM trade_summary AS t
WHERE
    (:status::text [] IS NULL OR t.status = any(:status))
    AND (:direction::text IS NULL OR t.direction = :direction)
    AND (:session::text IS NULL OR t.session = :session)
    AND (:symbol::text IS NULL OR t.symbol = :symbol)
    AND (:strategy::text IS NULL OR t.strategy_id = :strategy)
    AND (:since::timestamptz IS NULL OR t.trade_time >= :since)
    AND (:until::timestamptz IS NULL OR t.trade_time < :until)
GROUP BY 1
ORDER BY 1;

-- name: select_integrity(limit)
-- The newest trades with what the integrity report asks of each.
SELECT
    t.trade_id,
    t.anomalies,
    t.entry_time IS NULL AS no_entry
FROM trade_summary AS t
ORDER BY t.trade_time DESC, t.trade_id DESC
LIMIT :limit;

-- name: select_streams(after, limit)
-- Streams in order of id, to be walked in pages.
SELECT DISTINCT s.trade_id
FROM automated_signals AS s
WHERE s.trade_id > :after
ORDER BY s.trade_id
LIMIT :limit;

-- name: select_summaries_of(stream_ids)
-- What the summary table holds of some streams.
SELECT
    t.stream_id,
    t.trade_id,
    t.trade
FROM trade_summary AS t
WHERE t.stream_id = any(:stream_ids);

-- name: count_streams()$
-- How much there is to walk.
SELECT count(DISTINCT s.trade_id)
FROM automated_signals AS s;

-- name: select_orphans()
-- Summaries of which no event is left.
SELECT DISTINCT t.stream_id
FROM trade_summary AS t
WHERE NOT EXISTS (SELECT 1 FROM automated_signals AS s WHERE s.trade_id = t.stream_id);
