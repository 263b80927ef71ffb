-- The times are right, and what they were read from stands beside them.
SELECT 1;
