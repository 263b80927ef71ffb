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
-- Gives events the next positions, counted in one place wherever the rows lie.
INSERT INTO feed (trade_id, feed_position, event_id)
SELECT
    asked.trade_id,
    nextval(pg_get_serial_sequence('feed', 'feed_position')) AS feed_position,
    asked.event_id
FROM unnest(:trade_ids::text [], :event_ids::bigint []) AS asked (trade_id, event_id)
ORDER BY asked.event_id;

-- name: delete_pending(trade_ids, event_ids)!
-- What has a position is no longer pending.
DELETE FROM feed_pending AS p
USING unnest(:trade_ids::text [], :event_ids::bigint []) WITH ORDINALITY AS asked (trade_id, event_id, n)
WHERE p.trade_id = asked.trade_id AND p.event_id = asked.event_id;

-- name: queue(trade_ids, event_ids)!
-- Rows that came another way than by an alert are followed too.
INSERT INTO feed_pending (trade_id, event_id)
SELECT
    asked.trade_id,
    asked.event_id
FROM unnest(:trade_ids::text [], :event_ids::bigint []) AS asked (trade_id, event_id)
ON CONFLICT DO NOTHING;

-- name: select_state(after, limit)^
-- The newest position, at or before which nothing can appear any more, whether anything waits for one, and the places
-- that follow a position, read along because a follower asks for little else. Whoever asks waits for the reader that
-- gives positions: spread over servers, its commit is not one moment.
SELECT pg_advisory_xact_lock_shared(1097622101, 0);

SELECT
    page.feed_positions,
    page.trade_ids,
    page.event_ids,
    (SELECT coalesce(max(feed.feed_position), 0) FROM feed) AS horizon,
    exists(SELECT 1 FROM feed_pending LIMIT 1) AS waiting,
    exists(SELECT 1 FROM automated_signals AS s WHERE s.event_key LIKE 'row-%%' LIMIT 1) AS older
FROM (
    SELECT
        coalesce(array_agg(place.feed_position ORDER BY place.feed_position), '{}') AS feed_positions,
        coalesce(array_agg(place.trade_id ORDER BY place.feed_position), '{}') AS trade_ids,
        coalesce(array_agg(place.event_id ORDER BY place.feed_position), '{}') AS event_ids
    FROM (
        SELECT
            f.feed_position,
            f.trade_id,
            f.event_id
        FROM feed AS f
        WHERE f.feed_position > :after
        ORDER BY f.feed_position
        LIMIT :limit
    ) AS place
) AS page;

-- name: select_all_places(after, horizon, limit)
-- A page of places without any filter: nothing of the events themselves need be known.
SELECT
    f.feed_position,
    f.trade_id,
    f.event_id
FROM feed AS f
WHERE f.feed_position > :after AND f.feed_position <= :horizon
ORDER BY f.feed_position
LIMIT :limit;

-- name: select_places(after, horizon, types, symbol, strategy, session, direction, since, until, limit)
-- A page of events in the order of their positions, as places, to be shown by whoever asks; every filter is optional.
SELECT
    f.feed_position,
    f.trade_id,
    f.event_id
FROM feed AS f
INNER JOIN automated_signals AS event
    ON f.trade_id = event.trade_id AND f.event_id <= event.id AND f.event_id >= event.id
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
