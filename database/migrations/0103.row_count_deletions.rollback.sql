ALTER TABLE row_count DROP COLUMN noted_at;
