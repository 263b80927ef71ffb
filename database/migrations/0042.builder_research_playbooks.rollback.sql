-- What people wrote is never dropped: only empty tables are.
DO $$
BEGIN
    IF
        EXISTS (SELECT 1 FROM builder_tasks)
        OR EXISTS (SELECT 1 FROM builder_events)
        OR EXISTS (SELECT 1 FROM research_sources)
        OR EXISTS (SELECT 1 FROM playbooks)
    THEN
        RAISE EXCEPTION 'builder tasks, research or playbooks exist: export and empty those tables first';
    END IF;
END
$$;

DROP TABLE research_docs;
DROP TABLE research_sources;
DROP TABLE playbooks;
DROP TABLE builder_events;
DROP TABLE builder_tasks;
