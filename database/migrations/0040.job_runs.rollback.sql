DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM job_runs) THEN
        RAISE EXCEPTION 'job_runs holds the history of jobs: empty it before it is dropped';
    END IF;
END
$$;

DROP TABLE job_runs;
DROP TABLE job_lease;
