-- name: insert_playbook(slug, title, body_md, tags, enabled)^
-- A new playbook; nothing is answered when its slug is taken.
INSERT INTO playbooks (slug, title, body_md, tags, enabled, created_at, updated_at)
VALUES (:slug, :title, :body_md, :tags, :enabled, clock_timestamp(), clock_timestamp())
ON CONFLICT (slug) DO NOTHING
RETURNING id, slug, title, body_md, tags, enabled, created_at, updated_at;

-- name: update_playbook(slug, new_slug, title, body_md, tags, enabled)^
-- Only what was sent changes.
UPDATE playbooks AS p
SET
    slug = coalesce(:new_slug, p.slug),
    title = coalesce(:title, p.title),
    body_md = coalesce(:body_md, p.body_md),
    tags = coalesce(:tags, p.tags),
    enabled = coalesce(:enabled, p.enabled),
    updated_at = clock_timestamp()
WHERE p.slug = :slug
RETURNING p.id, p.slug, p.title, p.body_md, p.tags, p.enabled, p.created_at, p.updated_at;

-- name: delete_playbook(slug)!
-- The playbook goes.
DELETE FROM playbooks
WHERE slug = :slug;

-- name: slug_taken(slug)$
-- Whether another playbook has the slug that one is to get.
SELECT count(*) FROM playbooks AS p
WHERE p.slug = :slug;

-- name: select_playbook(slug)^
-- One playbook that everybody may read.
SELECT
    p.id,
    p.slug,
    p.title,
    p.body_md,
    p.tags,
    p.enabled,
    p.created_at,
    p.updated_at
FROM playbooks AS p
WHERE p.slug = :slug AND p.enabled;

-- name: select_playbooks(before_time, before_id, limit)
-- A page of the playbooks that everybody may read, newest first.
SELECT
    p.id,
    p.slug,
    p.title,
    p.body_md,
    p.tags,
    p.enabled,
    p.created_at,
    p.updated_at
FROM playbooks AS p
WHERE
    p.enabled
    AND (:before_time::timestamptz IS NULL OR (p.created_at, p.id) < (:before_time, :before_id::bigint))
ORDER BY p.created_at DESC, p.id DESC
LIMIT :limit;
