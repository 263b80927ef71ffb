-- depends: 0042.builder_research_playbooks
-- One row per notice and receiver. `target` names the receiver without its address, which may hold a key.
CREATE TABLE notice_delivery (
    notice_id BIGINT NOT NULL REFERENCES notice (id),
    target TEXT NOT NULL CHECK (length(target) BETWEEN 1 AND 300),
    status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'given_up')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMPTZ NOT NULL,
    last_attempt_at TIMESTAMPTZ,
    last_status INTEGER,
    last_error TEXT,
    delivered_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (notice_id, target)
);

CREATE INDEX notice_delivery_due ON notice_delivery (next_attempt_at) WHERE status = 'pending';
