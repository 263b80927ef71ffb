-- depends: 0020.governance_audit
-- The switches. One row; while it is missing nothing may be executed.
CREATE TABLE go_live_state (
    id INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    go_live_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    kill_switch_engaged BOOLEAN NOT NULL DEFAULT FALSE,
    changed_by TEXT NOT NULL CHECK (length(changed_by) BETWEEN 1 AND 200),
    reason TEXT CHECK (length(reason) <= 1000),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

INSERT INTO go_live_state (changed_by, reason) VALUES ('alertbook', 'seed');
