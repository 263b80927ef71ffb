-- name: lock_feed()
-- Positions are given by one reader at a time, so that they become visible in their order.
SELECT pg_advisory_xact_lock(1097622101, 0);

-- name: select_pending(limit)
-- Events committed since, with no position yet.
SELECT
    p.trade_id,
    p.event_id
FROM feed_pending AS p
LIMIT :limit;

-- name: append(trade_ids, event_ids)!
-- Gives events the next positions.
INSERT INTO feed (trade_id, event_id)
SELECT
    asked.trade_id,
    asked.event_id
FROM unnest(:trade_ids::text [], :event_ids::bigint []) AS asked (trade_id, event_id)
ORDER BY asked.event_id;

-- name: delete_pending(trade_ids, event_ids)!
-- What has a position is no longer pending.
DELETE FROM feed_pending AS p
USING unnest(:trade_ids::text [], :event_ids::bigint []) AS asked (trade_id, event_id)
WHERE p.trade_id = asked.trade_id AND p.event_id = asked.event_id;

-- name: queue(trade_ids, event_ids)!
-- Rows that came another way than by an alert are followed too.
INSERT INTO feed_pending (trade_id, event_id)
SELECT
    asked.trade_id,
    asked.event_id
FROM unnest(:trade_ids::text [], :event_ids::bigint []) AS asked (trade_id, event_id)
ON CONFLICT DO NOTHING;

-- name: select_horizon()$
-- The newest position: nothing can appear at or before it any more.
SELECT coalesce(max(feed.feed_position), 0)
FROM feed;

-- name: select_feed(after, horizon, types, symbol, strategy, session, direction, since, until, limit)
-- A page of events in the order of their positions; every filter is optional. OFFSET 0 keeps the planner walking
-- the feed from the cursor: it guesses that the join finds almost nothing and would read whole tables for a page.
SELECT
    event.*,
    f.feed_position
FROM feed AS f
CROSS JOIN
    LATERAL (
        SELECT s.*
        FROM automated_signals AS s
        WHERE s.trade_id = f.trade_id AND s.id = f.event_id
        OFFSET 0
    ) AS event
WHERE
    f.feed_position > :after
    AND f.feed_position <= :horizon
    AND (:types::text [] IS NULL OR upper(event.event_type) = any(:types))
    AND (:symbol::text IS NULL OR event.symbol = :symbol)
    AND (:strategy::text IS NULL OR event.strategy_id = :strategy OR event.strategy_name = :strategy)
    AND (:session::text IS NULL OR event.session = :session)
    AND (:direction::text IS NULL OR event.direction = :direction)
    AND (:since::timestamptz IS NULL OR event.event_timestamp >= :since)
    AND (:until::timestamptz IS NULL OR event.event_timestamp < :until)
ORDER BY f.feed_position
LIMIT :limit;
