-- name: insert_source(name, url, kind, ttl_seconds, enabled)^
-- A new source.
INSERT INTO research_sources (name, url, kind, ttl_seconds, enabled, created_at)
VALUES (:name, :url, :kind, :ttl_seconds, :enabled, clock_timestamp())
RETURNING id, name, url, kind, ttl_seconds, enabled, created_at, last_ingested_at;

-- name: update_source(source_id, name, url, kind, ttl_seconds, enabled)^
-- Only what was sent changes.
UPDATE research_sources AS s
SET
    name = coalesce(:name, s.name),
    url = coalesce(:url, s.url),
    kind = coalesce(:kind, s.kind),
    ttl_seconds = coalesce(:ttl_seconds, s.ttl_seconds),
    enabled = coalesce(:enabled, s.enabled)
WHERE s.id = :source_id
RETURNING s.id, s.name, s.url, s.kind, s.ttl_seconds, s.enabled, s.created_at, s.last_ingested_at;

-- name: delete_source_docs(source_id, upto_id)^
-- A source goes with its documents; how many of them had been counted up to an id.
WITH gone AS (
    DELETE FROM research_docs
    WHERE research_docs.source_id = :source_id
    RETURNING research_docs.id
)

SELECT
    count(*) AS gone,
    count(*) FILTER (WHERE g.id <= :upto_id) AS below
FROM gone AS g;

-- name: delete_source(source_id)!
-- The source itself.
DELETE FROM research_sources
WHERE id = :source_id;

-- name: select_source(source_id)^
-- One source.
SELECT
    s.id,
    s.name,
    s.url,
    s.kind,
    s.ttl_seconds,
    s.enabled,
    s.created_at,
    s.last_ingested_at
FROM research_sources AS s
WHERE s.id = :source_id;

-- name: select_sources(before_time, before_id, limit)
-- A page of sources, newest first.
SELECT
    s.id,
    s.name,
    s.url,
    s.kind,
    s.ttl_seconds,
    s.enabled,
    s.created_at,
    s.last_ingested_at
FROM research_sources AS s
WHERE :before_time::timestamptz IS NULL OR (s.created_at, s.id) < (:before_time, :before_id::bigint)
ORDER BY s.created_at DESC, s.id DESC
LIMIT :limit;

-- name: insert_docs(source_id, title, url, chunks, content_hash)
-- One text in pieces; what the source has already is not added again.
INSERT INTO research_docs (source_id, title, url, content, chunk_index, content_hash, ingested_at)
SELECT
    :source_id::bigint AS source_id,
    :title::text AS title,
    :url::text AS url,
    c.content,
    c.place - 1 AS chunk_index,
    :content_hash::text AS content_hash,
    clock_timestamp() AS ingested_at
FROM unnest(:chunks::text []) WITH ORDINALITY AS c (content, place)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: mark_ingested(source_id)!
-- When the source was last read.
UPDATE research_sources SET last_ingested_at = clock_timestamp()
WHERE id = :source_id;

-- name: select_matches(question, limit)
-- Full text: documents of enabled sources by rank, with the words marked in a piece of the text.
WITH asked AS (
    SELECT websearch_to_tsquery('english', :question) AS words
),

found AS (
    SELECT
        d.id,
        d.source_id,
        d.title,
        d.url,
        d.content,
        a.words,
        ts_rank_cd(d.search, a.words, 32) AS score
    FROM research_docs AS d
    CROSS JOIN asked AS a
    INNER JOIN research_sources AS s ON d.source_id = s.id
    WHERE d.search @@ a.words AND s.enabled
    ORDER BY score DESC, d.id DESC
    LIMIT :limit
)

SELECT
    s.name AS source_name,
    f.id AS doc_id,
    f.title,
    f.score::numeric AS relevance_score,
    coalesce(f.url, s.url) AS url,
    ts_headline(
        'english', f.content, f.words, 'StartSel="**", StopSel="**", MaxFragments=2, MaxWords=30, MinWords=10'
    ) AS snippet
FROM found AS f
INNER JOIN research_sources AS s ON f.source_id = s.id
ORDER BY f.score DESC, f.id DESC;
