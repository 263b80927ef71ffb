-- depends: 0082.open_trades_by_day
-- A stream of position alerts is folded again from no further back than its new alerts reach. A mark says from when
-- on its trade is out of date (NULL: from its beginning, which is what older code leaves); a checkpoint says with
-- which position a stream can be taken up. Both are disposable like the summaries.
ALTER TABLE trade_dirty ADD COLUMN since TIMESTAMPTZ;

CREATE TABLE position_checkpoint (
    stream_id TEXT NOT NULL,
    begins_at TIMESTAMPTZ NOT NULL,
    side SMALLINT NOT NULL,
    size NUMERIC,
    PRIMARY KEY (stream_id, begins_at)
);

-- Alerts that came before their stream's first trade belong to none, and are counted with the others.
CREATE TABLE position_stream (
    stream_id TEXT PRIMARY KEY,
    loose_events BIGINT NOT NULL
);

-- Streams that are stored already get theirs at the next read.
INSERT INTO trade_dirty (trade_id)
SELECT DISTINCT automated_signals.trade_id FROM automated_signals
WHERE automated_signals.event_type = 'POSITION';
