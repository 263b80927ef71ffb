-- depends: 0006.notices
-- Who changed or decided what: append-only, each record bound to the one before it by its hash. The head row
-- gives out the numbers, so a record that is edited, removed or moved breaks the chain at its place.
CREATE TABLE governance_audit (
    seq BIGINT PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    key_id TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- JSON keeps the text as it was written, which the hash covers; JSONB would not
    before JSON,
    after JSON,
    reason TEXT,
    request_id TEXT,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
);

CREATE INDEX governance_audit_action ON governance_audit (action, seq DESC);

CREATE INDEX governance_audit_subject ON governance_audit (subject, seq DESC);

CREATE INDEX governance_audit_key ON governance_audit (key_id, seq);

CREATE TABLE governance_audit_head (
    id INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    seq BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
);

INSERT INTO governance_audit_head (seq, at, prev_hash, hash)
VALUES (0, 'epoch', '', repeat('0', 64));

-- SHA-256 of the JSON array of a record and of the hash before it; STABLE because making JSON is.
CREATE FUNCTION governance_audit_hash(
    prev TEXT, seq BIGINT, at TIMESTAMPTZ, actor TEXT, key_id TEXT, action TEXT, subject TEXT, before TEXT, after TEXT,
    reason TEXT, request_id TEXT
) RETURNS TEXT LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(json_build_array(
        prev, seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), actor, key_id, action, subject,
        before, after, reason, request_id
    )::text, 'UTF8')), 'hex')
$$;

-- Nobody needs to change or remove records; a superuser alone is not bound by this.
REVOKE UPDATE, DELETE, TRUNCATE ON governance_audit FROM public, current_user;
