-- depends: 0090.position_checkpoints
-- transactional: false
-- The part of a stream that is folded again is found by its time. Other alerts have no entry here.
CREATE INDEX CONCURRENTLY IF NOT EXISTS automated_signals_position
ON automated_signals (trade_id, event_timestamp) WHERE event_type = 'POSITION';
