-- name: select_events(stream_id, since, until)
-- A stream's events, whole, or those of a span of time: found by the index of position alerts.
SELECT *
FROM automated_signals AS s
WHERE
    s.trade_id = :stream_id
    AND (:since::timestamptz IS NULL OR (s.event_type = 'POSITION' AND s.event_timestamp >= :since))
    AND (:until::timestamptz IS NULL OR s.event_timestamp <= :until)
ORDER BY s.id;

-- name: select_checkpoint(stream_id, before, upto)^
-- Where a fold that must reach back so far can begin.
SELECT
    c.begins_at,
    c.side,
    c.size
FROM position_checkpoint AS c
WHERE
    c.stream_id = :stream_id
    AND (:before::timestamptz IS NULL OR c.begins_at < :before)
    AND (:upto::timestamptz IS NULL OR c.begins_at <= :upto)
ORDER BY c.begins_at DESC
LIMIT 1;

-- name: select_next(stream_id, after, before)$
-- The next checkpoint: a trade that was opened before it was closed by then.
SELECT min(c.begins_at)
FROM position_checkpoint AS c
WHERE
    c.stream_id = :stream_id AND c.begins_at > :after
    AND (:before::timestamptz IS NULL OR c.begins_at < :before);

-- name: insert_checkpoints(rows)!
-- Where the stream can be taken up again.
INSERT INTO position_checkpoint (stream_id, begins_at, side, size)
SELECT
    r.stream_id,
    r.begins_at,
    r.side,
    r.size
FROM
    jsonb_to_recordset(:rows::jsonb) AS r (
        stream_id TEXT, begins_at TIMESTAMPTZ, side SMALLINT, size NUMERIC
    );

-- name: delete_checkpoints(stream_id, since)!
-- Those that the new fold makes again.
DELETE FROM position_checkpoint AS c
WHERE c.stream_id = :stream_id AND (:since::timestamptz IS NULL OR c.begins_at > :since);

-- name: delete_summaries(stream_id, since)
-- The trades that the new fold makes again: those that were opened from then on, and what they contributed so far.
DELETE FROM trade_summary AS t
WHERE t.stream_id = :stream_id AND (:since::timestamptz IS NULL OR t.trade_time >= :since)
RETURNING
    t.trade_id,
    t.status,
    t.session,
    t.uncertain,
    t.trade_time,
    t.exit_time,
    t.event_count,
    t.max_mfe,
    t.realized_r,
    t.realized_points;

-- name: delete_gaps(stream_id, since)!
-- The breaks that the new fold finds again.
DELETE FROM position_gap AS g
WHERE g.stream_id = :stream_id AND (:since::timestamptz IS NULL OR g.before_time >= :since);

-- name: save_stream(stream_id, loose_events)!
-- How many of its alerts came before its first trade.
INSERT INTO position_stream AS p (stream_id, loose_events)
VALUES (:stream_id, :loose_events)
ON CONFLICT (stream_id) DO UPDATE SET loose_events = excluded.loose_events;

-- name: count_loose()$
-- The position alerts that belong to no trade.
SELECT coalesce(sum(p.loose_events), 0)::bigint
FROM position_stream AS p;
