-- depends: 0102.engine_names
-- When deletions were last taken off a count: PostgreSQL's own statistics learn of them up to ten seconds later.
ALTER TABLE row_count ADD COLUMN noted_at TIMESTAMPTZ;
