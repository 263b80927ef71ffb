-- What was converted stays so: older code runs on it, and nothing was lost that could come back.
SELECT 1;
