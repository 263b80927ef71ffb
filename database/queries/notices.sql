-- name: insert_notice(kind, fact, title, detail)$
-- One notice per fact, in the transaction of the fact.
INSERT INTO notice (kind, fact, title, detail)
VALUES (:kind, :fact, :title, :detail::jsonb)
ON CONFLICT (fact) DO NOTHING
RETURNING id;
