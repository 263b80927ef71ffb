-- transactional: false
-- depends: 0120.totals
-- The integrity report asks for ids that no alert may have: few or none, found at once.
CREATE INDEX CONCURRENTLY IF NOT EXISTS automated_signals_ghosts ON automated_signals (trade_id)
WHERE trade_id LIKE '%,%' OR original_trade_id IS NOT NULL;
