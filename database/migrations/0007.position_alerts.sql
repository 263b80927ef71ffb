-- depends: 0006.notices
-- Alerts that say what a position became: their trades are derived from whole streams. `position` is what such
-- an alert says in canonical form; gaps are disposable like the summaries and rebuilt with them.
ALTER TABLE automated_signals ADD COLUMN position JSONB;

-- One event by its number alone: keys begin with trade_id, so nothing else finds it.
CREATE INDEX automated_signals_id ON automated_signals (id);

ALTER TABLE trade_summary
ADD COLUMN realized_points NUMERIC,
ADD COLUMN uncertain BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE position_gap (
    stream_id TEXT NOT NULL,
    gap_id TEXT NOT NULL,
    after_time TIMESTAMPTZ NOT NULL,
    before_time TIMESTAMPTZ NOT NULL,
    expected JSONB NOT NULL,
    found JSONB NOT NULL,
    PRIMARY KEY (stream_id, gap_id)
);

CREATE INDEX position_gap_time ON position_gap (before_time DESC, gap_id DESC);
