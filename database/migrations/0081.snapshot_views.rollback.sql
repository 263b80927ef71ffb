-- Views hold nothing that cannot be made again.
DROP SCHEMA utils_statistics CASCADE;
