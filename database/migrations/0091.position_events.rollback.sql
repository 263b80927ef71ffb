-- transactional: false
DROP INDEX CONCURRENTLY IF EXISTS automated_signals_position;
