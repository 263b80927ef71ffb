DROP FUNCTION store_events (JSONB);
