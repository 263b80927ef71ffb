DROP FUNCTION render_events (TEXT [], BIGINT []);
