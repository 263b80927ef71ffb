-- The emergency way back to the charter: measured outcomes go with their tables, what the wires did stays in the audit.
DROP TABLE regression_state;

DROP TABLE regression_policy;

DROP TABLE kpi_event;
