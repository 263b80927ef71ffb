-- name: select_results(status, direction, session, symbol, strategy, since, until)
-- What the analysis needs of each trade, in no order.
SELECT
    t.trade_id,
    t.status,
    t.trade_time,
    t.exit_time,
    t.session,
    t.strategy,
    t.symbol,
    t.direction,
    t.realized_r,
    t.max_mfe,
    t.be_mfe,
    t.no_be_mfe,
    t.mae,
    t.event_count,
    t.realized_points,
    t.uncertain,
    t.setup
FROM trade_summary AS t
WHERE
    (:status::text [] IS NULL OR t.status = any(:status))
    AND (:direction::text IS NULL OR t.direction = :direction)
    AND (:session::text IS NULL OR t.session = :session)
    AND (:symbol::text IS NULL OR t.symbol = :symbol)
    AND (:strategy::text IS NULL OR t.strategy_id = :strategy)
    AND (:since::timestamptz IS NULL OR t.trade_time >= :since)
    AND (:until::timestamptz IS NULL OR t.trade_time < :until);

-- name: select_steps(since)
-- The results of the decided trades that began since then, in order of exit: the steps of their equity curve.
SELECT
    t.exit_time,
    t.realized_r
FROM trade_summary AS t
WHERE t.status = 'COMPLETED' AND NOT t.uncertain AND t.realized_r IS NOT NULL AND t.trade_time >= :since
ORDER BY t.exit_time ASC NULLS LAST, t.trade_id COLLATE "C" ASC;

-- name: select_falls(since, until)^
-- How far cumulative R of a period's decided trades ever fell from its peak, and how far it stands below it at the end.
WITH run AS (
    SELECT
        row_number() OVER ordered AS place,
        sum(t.realized_r) OVER (ordered ROWS UNBOUNDED PRECEDING) AS equity
    FROM trade_summary AS t
    WHERE
        t.status = 'COMPLETED' AND NOT t.uncertain AND t.realized_r IS NOT NULL
        AND t.trade_time >= :since AND t.trade_time < :until
    WINDOW ordered AS (ORDER BY t.exit_time ASC NULLS LAST, t.trade_id COLLATE "C" ASC)
),

course AS (
    SELECT
        r.place,
        greatest(0, max(r.equity) OVER (ORDER BY r.place ROWS UNBOUNDED PRECEDING)) - r.equity AS fall
    FROM run AS r
)

SELECT
    max(c.fall) AS deepest,
    max(c.fall) FILTER (WHERE c.place = (SELECT count(*) FROM run)) AS latest
FROM course AS c;

-- name: count_with_status(statuses)$
-- How many trades stand so.
SELECT count(*)
FROM trade_summary AS t
WHERE t.status = any(:statuses);

-- name: select_trades_by(column, sign, status, direction, session, symbol, strategy, since, until, offset, limit)
-- A page of trades in the order of one of their figures; trades without it come last.
SELECT
    t.trade_id,
    t.trade
FROM trade_summary AS t
WHERE
    (:status::text [] IS NULL OR t.status = any(:status))
    AND (:direction::text IS NULL OR t.direction = :direction)
    AND (:session::text IS NULL OR t.session = :session)
    AND (:symbol::text IS NULL OR t.symbol = :symbol)
    AND (:strategy::text IS NULL OR t.strategy_id = :strategy)
    AND (:since::timestamptz IS NULL OR t.trade_time >= :since)
    AND (:until::timestamptz IS NULL OR t.trade_time < :until)
ORDER BY
    :sign * CASE :column::text
        WHEN 'r' THEN t.realized_r
        WHEN 'mfe' THEN t.max_mfe
        WHEN 'mae' THEN abs(t.mae)
        WHEN 'events' THEN t.event_count
        WHEN 'duration' THEN extract(EPOCH FROM t.exit_time - t.entry_time)
        WHEN 'time' THEN extract(EPOCH FROM t.trade_time)
    END DESC NULLS LAST,
    t.trade_time DESC,
    t.trade_id DESC
LIMIT :limit OFFSET :offset;

-- name: select_choices()
-- What the filters can be set to.
SELECT
    (
        SELECT array_agg(s.symbol ORDER BY s.symbol)
        FROM (SELECT DISTINCT t.symbol FROM trade_summary AS t WHERE t.symbol IS NOT NULL LIMIT 200) AS s
    ) AS symbols,
    (
        SELECT array_agg(s.strategy_id ORDER BY s.strategy_id)
        FROM (SELECT DISTINCT t.strategy_id FROM trade_summary AS t WHERE t.strategy_id IS NOT NULL LIMIT 200) AS s
    ) AS strategies;

-- name: select_last_by_strategy()
-- The last alert of each strategy, and how many of its trades are open.
SELECT
    coalesce(t.strategy, '(none)') AS strategy,
    max(t.last_event_time) AS last_event_time,
    count(*) AS trades,
    count(*) FILTER (WHERE t.status IN ('ACTIVE', 'BE_PROTECTED')) AS open_trades
FROM trade_summary AS t
GROUP BY 1
ORDER BY 2 DESC
LIMIT 50;

-- name: select_last_prices(trade_ids)
-- The newest price that an alert told of each open trade.
SELECT DISTINCT ON (s.trade_id)
    s.trade_id,
    s.current_price,
    s.event_timestamp
FROM automated_signals AS s
WHERE s.trade_id = any(:trade_ids) AND s.current_price IS NOT NULL
ORDER BY s.trade_id ASC, s.event_timestamp DESC, s.id DESC;

-- name: select_anything()$
-- Whether any alert was ever stored.
SELECT exists(SELECT 1 FROM automated_signals LIMIT 1);

-- name: select_newest()^
-- The alert that came last: as long as it is the same, hardly anything has changed.
SELECT
    s.received_at,
    s.id
FROM automated_signals AS s
ORDER BY s.received_at DESC, s.id DESC
LIMIT 1;
