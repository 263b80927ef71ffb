-- name: adopt_older_rows()
-- Rows that older code inserted beside us get their lasting key and are marked for the next fold.
WITH adopted AS (
    UPDATE automated_signals
    SET event_key = 'legacy-' || automated_signals.id
    WHERE automated_signals.event_key LIKE 'row-%%'
    RETURNING automated_signals.trade_id
)

INSERT INTO trade_dirty (trade_id)
SELECT DISTINCT adopted.trade_id
FROM adopted
RETURNING 1;

-- name: select_dirty(limit)
-- Streams whose summary is out of date.
SELECT DISTINCT d.trade_id
FROM (
    SELECT trade_dirty.trade_id
    FROM trade_dirty
    LIMIT :limit
) AS d
ORDER BY d.trade_id;

-- name: lock_streams(trade_ids)
-- One fold at a time per stream: a later one waits here, then finds nothing left to do.
SELECT pg_advisory_xact_lock(1097622100, hashtext(ids.trade_id))
FROM (SELECT unnest(:trade_ids::text []) AS trade_id ORDER BY 1) AS ids;

-- name: select_dirty_rows(trade_ids)
-- The marks as seen before the events are read: exactly these are removed afterwards.
SELECT
    d.trade_id,
    d.seq
FROM trade_dirty AS d
WHERE d.trade_id = any(:trade_ids);

-- name: replace_summaries(trade_ids, rows)!
-- What the fold gave takes the place of what stood there; a stream without events loses its summary.
WITH incoming AS MATERIALIZED (
    SELECT *
    FROM
        json_to_recordset(:rows::json) AS r (
            stream_id TEXT, trade_id TEXT, status TEXT, direction TEXT, symbol TEXT, strategy_id TEXT,
            strategy TEXT, timeframe TEXT, session TEXT, trade_time TIMESTAMPTZ, entry_time TIMESTAMPTZ,
            exit_time TIMESTAMPTZ, last_event_time TIMESTAMPTZ, realized_r NUMERIC, max_mfe NUMERIC,
            be_mfe NUMERIC, no_be_mfe NUMERIC, mae NUMERIC, event_count BIGINT, anomalies TEXT [], trade JSON
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
    trade
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
    i.trade
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
    trade = excluded.trade;

-- name: delete_dirty_rows(trade_ids, seqs)!
-- Removes the marks that this fold has dealt with; marks made since then stay.
DELETE FROM trade_dirty AS d
USING unnest(:trade_ids::text [], :seqs::bigint []) AS seen (trade_id, seq)
WHERE d.trade_id = seen.trade_id AND d.seq = seen.seq;

-- name: select_trades(status, direction, session, symbol, strategy, since, until, before_time, before_id, limit)
-- A page of trades, newest first; every filter is optional.
SELECT
    t.trade_time,
    t.trade_id,
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
LIMIT :limit;

-- name: select_outcomes(status, direction, session, symbol, strategy, since, until)
-- What the statistics need of each trade, in no order.
SELECT
    t.trade_id,
    t.status,
    t.realized_r,
    t.max_mfe,
    t.exit_time,
    t.event_count
FROM trade_summary AS t
WHERE
    (:status::text [] IS NULL OR t.status = any(:status))
    AND (:direction::text IS NULL OR t.direction = :direction)
    AND (:session::text IS NULL OR t.session = :session)
    AND (:symbol::text IS NULL OR t.symbol = :symbol)
    AND (:strategy::text IS NULL OR t.strategy_id = :strategy)
    AND (:since::timestamptz IS NULL OR t.trade_time >= :since)
    AND (:until::timestamptz IS NULL OR t.trade_time < :until);
