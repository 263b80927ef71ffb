-- name: select_policies(engines)
-- The caps of some engines, or of all.
SELECT
    p.engine,
    p.enabled,
    p.max_daily_loss,
    p.max_daily_exposure,
    p.max_open_risk,
    p.max_actions_per_day,
    p.changed_by,
    p.reason,
    p.updated_at
FROM risk_policy AS p
WHERE :engines::text [] IS NULL OR p.engine = any(:engines)
ORDER BY p.engine <> 'GLOBAL', p.engine;

-- name: insert_unknown_policy(engine, changed_by, reason)!
-- An engine that nobody has configured is disabled and has no budget.
INSERT INTO risk_policy (engine, changed_by, reason)
VALUES (:engine, :changed_by, :reason)
ON CONFLICT (engine) DO NOTHING;

-- name: update_policy(row)^
-- Changes only what is not NULL.
UPDATE risk_policy AS p
SET
    enabled = coalesce(g.enabled, p.enabled),
    max_daily_loss = coalesce(g.max_daily_loss, p.max_daily_loss),
    max_daily_exposure = coalesce(g.max_daily_exposure, p.max_daily_exposure),
    max_open_risk = coalesce(g.max_open_risk, p.max_open_risk),
    max_actions_per_day = coalesce(g.max_actions_per_day, p.max_actions_per_day),
    changed_by = g.changed_by,
    reason = coalesce(g.reason, p.reason),
    updated_at = clock_timestamp()
FROM
    jsonb_to_record(:row::jsonb) AS g (
        engine TEXT, enabled BOOLEAN, max_daily_loss NUMERIC, max_daily_exposure NUMERIC, max_open_risk NUMERIC,
        max_actions_per_day INTEGER, changed_by TEXT, reason TEXT
    )
WHERE p.engine = g.engine
RETURNING p.*;

-- name: begin_reserve(engines, reservation_id)
-- The lock, then all that a reserve is decided by: two statements, each with a snapshot of its own, in one journey,
-- because the others wait for every journey under the lock. A row for each engine that has caps and each of its last
-- days (one of them is the trading day), or one row without an engine: clock, switches, whether reservations have
-- run out, what is known under this id, caps, counters; open risk is that of all days.
SELECT p.engine
FROM risk_policy AS p
WHERE p.engine = any(:engines)
ORDER BY (CASE p.engine WHEN 'GLOBAL' THEN 0 ELSE 1 END), p.engine
FOR NO KEY UPDATE;

SELECT
    clock.now,
    s.go_live_enabled,
    s.kill_switch_engaged,
    r.reservation_id,
    r.request_hash,
    r.answer,
    p.engine,
    p.enabled,
    p.max_daily_loss,
    p.max_daily_exposure,
    p.max_open_risk,
    p.max_actions_per_day,
    l.day,
    exists(
        SELECT 1
        FROM risk_reservation AS old
        WHERE old.state = 'open' AND old.expires_at <= clock.now
    ) AS has_expired,
    coalesce(l.exposure_used, 0) AS exposure_used,
    coalesce(l.realized_loss, 0) AS realized_loss,
    coalesce(l.actions_count, 0) AS actions_count,
    coalesce((
        SELECT sum(o.open_risk_reserved)
        FROM risk_ledger_day AS o
        WHERE o.engine = p.engine AND o.open_risk_reserved > 0
    ), 0) AS open_risk_reserved
FROM (SELECT clock_timestamp() AS now) AS clock
LEFT JOIN go_live_state AS s ON s.id = 1
LEFT JOIN risk_reservation AS r ON r.reservation_id = :reservation_id::text
LEFT JOIN risk_policy AS p ON p.engine = any(:engines)
LEFT JOIN risk_ledger_day AS l ON p.engine = l.engine AND l.day >= clock.now::date - 2;

-- name: select_usage(engines, day)
-- Caps and counters of some engines on a day; open risk is that of all days.
SELECT
    p.engine,
    p.enabled,
    p.max_daily_loss,
    p.max_daily_exposure,
    p.max_open_risk,
    p.max_actions_per_day,
    p.reason,
    coalesce(l.exposure_used, 0) AS exposure_used,
    coalesce(l.realized_loss, 0) AS realized_loss,
    coalesce(l.actions_count, 0) AS actions_count,
    coalesce((
        SELECT sum(o.open_risk_reserved)
        FROM risk_ledger_day AS o
        WHERE o.engine = p.engine AND o.open_risk_reserved > 0
    ), 0) AS open_risk_reserved
FROM risk_policy AS p
LEFT JOIN risk_ledger_day AS l ON p.engine = l.engine AND l.day = :day
WHERE :engines::text [] IS NULL OR p.engine = any(:engines)
ORDER BY p.engine <> 'GLOBAL', p.engine;

-- name: expire_reservations(now)!
-- Gives back what ran out: exposure and open risk of the day that reserved, with an event for each.
WITH gone AS (
    UPDATE risk_reservation
    SET state = 'expired', closed_at = :now
    WHERE risk_reservation.state = 'open' AND risk_reservation.expires_at <= :now
    RETURNING
        risk_reservation.reservation_id, risk_reservation.engine, risk_reservation.day, risk_reservation.amount
),

told AS (
    INSERT INTO risk_event (
        day, engine, action, reservation_id, amount, exposure_change, open_risk_change, created_at
    )
    SELECT
        gone.day,
        gone.engine,
        'EXPIRE' AS action,
        gone.reservation_id,
        gone.amount,
        -gone.amount AS exposure_change,
        -gone.amount AS open_risk_change,
        :now AS created_at
    FROM gone
),

counted AS (
    SELECT
        gone.day,
        gone.engine,
        gone.amount
    FROM gone
    UNION ALL
    SELECT
        gone.day,
        'GLOBAL' AS engine,
        gone.amount
    FROM gone
    WHERE gone.engine <> 'GLOBAL'
),

back AS (
    SELECT
        counted.day,
        counted.engine,
        sum(counted.amount) AS amount
    FROM counted
    GROUP BY counted.day, counted.engine
)

UPDATE risk_ledger_day AS l
SET
    exposure_used = l.exposure_used - back.amount,
    open_risk_reserved = l.open_risk_reserved - back.amount,
    updated_at = :now
FROM back
WHERE l.day = back.day AND l.engine = back.engine;

-- name: record_event(row)!
-- Writes an event and moves the counters of its engine and of GLOBAL by just what the event says. A request for
-- budget (with a `state`) is kept with its answer too, so that the same request gets the same answer.
WITH given AS MATERIALIZED (
    SELECT *
    FROM
        jsonb_to_record(:row::jsonb) AS r (
            day DATE, engine TEXT, action TEXT, reservation_id TEXT, amount NUMERIC, exposure_change NUMERIC,
            open_risk_change NUMERIC, loss_change NUMERIC, actions_change INTEGER, reason TEXT, message TEXT,
            actor TEXT,
            correlation_id TEXT,
            metadata JSONB,
            now TIMESTAMPTZ,
            state TEXT,
            request_hash TEXT,
            answer TEXT,
            expires_at TIMESTAMPTZ
        )
),

kept AS (
    INSERT INTO risk_reservation (
        reservation_id, engine, day, amount, state, request_hash, answer, created_at, expires_at
    )
    SELECT
        g.reservation_id,
        g.engine,
        g.day,
        g.amount,
        g.state,
        g.request_hash,
        g.answer::json AS answer,
        g.now AS created_at,
        g.expires_at
    FROM given AS g
    WHERE g.state IS NOT NULL
),

told AS (
    INSERT INTO risk_event (
        day, engine, action, reservation_id, amount, exposure_change, open_risk_change, loss_change, reason,
        message, actor, correlation_id, metadata, created_at
    )
    SELECT
        g.day,
        g.engine,
        g.action,
        g.reservation_id,
        g.amount,
        g.exposure_change,
        g.open_risk_change,
        g.loss_change,
        g.reason,
        g.message,
        g.actor,
        g.correlation_id,
        g.metadata,
        g.now
    FROM given AS g
),

counted AS (
    SELECT 'GLOBAL' AS engine
    UNION
    SELECT g.engine
    FROM given AS g
),

present AS (
    INSERT INTO risk_ledger_day AS l (
        day, engine, exposure_used, open_risk_reserved, realized_loss, actions_count, updated_at
    )
    SELECT
        g.day,
        c.engine,
        greatest(g.exposure_change, 0) AS exposure_used,
        greatest(g.open_risk_change, 0) AS open_risk_reserved,
        g.loss_change AS realized_loss,
        g.actions_change AS actions_count,
        g.now AS updated_at
    FROM given AS g
    CROSS JOIN counted AS c
    WHERE (g.exposure_change, g.open_risk_change, g.loss_change, g.actions_change) <> (0, 0, 0, 0)
    ON CONFLICT (day, engine) DO NOTHING
    RETURNING l.engine
)

UPDATE risk_ledger_day AS l
SET
    exposure_used = l.exposure_used + g.exposure_change,
    open_risk_reserved = l.open_risk_reserved + g.open_risk_change,
    realized_loss = l.realized_loss + g.loss_change,
    actions_count = l.actions_count + g.actions_change,
    updated_at = g.now
FROM given AS g
CROSS JOIN counted AS c
LEFT JOIN present ON c.engine = present.engine
WHERE
    l.day = g.day AND l.engine = c.engine
    AND (g.exposure_change, g.open_risk_change, g.loss_change, g.actions_change) <> (0, 0, 0, 0)
    AND present.engine IS NULL;

-- name: select_reservation(reservation_id)^
-- One reservation at the time of the database's clock, by which all else is judged too; an open one that has run out
-- counts as expired.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
)

SELECT
    r.reservation_id,
    r.engine,
    r.day,
    r.amount,
    r.settlement_hash,
    r.settlement_answer,
    clock.now,
    CASE WHEN r.state = 'open' AND r.expires_at <= clock.now THEN 'expired' ELSE r.state END AS state
FROM clock
INNER JOIN risk_reservation AS r ON r.reservation_id = :reservation_id;

-- name: find_reservation(engine, amount, states)$
-- For settlements that name no reservation: the oldest of this amount that may still be settled.
SELECT r.reservation_id
FROM risk_reservation AS r
WHERE r.engine = :engine AND r.amount = :amount AND r.state = any(:states)
ORDER BY r.created_at, r.reservation_id
LIMIT 1;

-- name: find_last_settled(engine, amount)$
-- For a settlement that may be the repeat of the last one of its kind.
SELECT r.reservation_id
FROM risk_reservation AS r
WHERE r.engine = :engine AND r.amount = :amount AND r.state = 'settled'
ORDER BY r.closed_at DESC, r.reservation_id DESC
LIMIT 1;

-- name: close_reservation(reservation_id, state, now, settlement_hash, settlement_answer)!
-- Settled or released, with the answer that the same request gets again.
UPDATE risk_reservation SET
    state = :state,
    closed_at = :now,
    settlement_hash = :settlement_hash,
    settlement_answer = :settlement_answer::json
WHERE risk_reservation.reservation_id = :reservation_id;

-- name: insert_settled(reservation_id, engine, day, amount, now, settlement_hash, settlement_answer)!
-- A fill under an id that had reserved nothing: the id is taken, and the same again gets the same answer.
INSERT INTO risk_reservation (
    reservation_id, engine, day, amount, state, request_hash, answer, created_at, closed_at, settlement_hash,
    settlement_answer
)
VALUES (
    :reservation_id, :engine, :day, :amount, 'settled', '', '{}', :now, :now, :settlement_hash,
    :settlement_answer::json
);

-- name: select_clock()$
-- The clock that all hosts share.
SELECT clock_timestamp();

-- name: select_ledger(since, until)
-- The counters of the days asked for, as they stand on each day.
SELECT
    l.day,
    l.engine,
    l.exposure_used,
    l.open_risk_reserved,
    l.realized_loss,
    l.actions_count,
    l.updated_at
FROM risk_ledger_day AS l
WHERE l.day BETWEEN :since AND :until
ORDER BY l.day DESC, l.engine <> 'GLOBAL', l.engine ASC;

-- name: select_denials(since)
-- Refused requests by reason.
SELECT
    e.reason,
    count(*) AS denials
FROM risk_event AS e
WHERE e.action = 'DENY' AND e.created_at >= :since
GROUP BY e.reason
ORDER BY e.reason;

-- name: select_stale_reservations()
-- Open, though their time has run out: nobody settled or released them.
SELECT
    r.reservation_id,
    r.engine,
    r.amount,
    r.created_at,
    r.expires_at
FROM risk_reservation AS r
WHERE r.state = 'open' AND r.expires_at <= clock_timestamp()
ORDER BY r.expires_at
LIMIT 100;

-- name: select_breaches(since)
-- Fills that were late, larger than reserved, or without leave.
SELECT
    e.engine,
    e.reservation_id,
    e.amount,
    e.message,
    e.actor,
    e.created_at
FROM risk_event AS e
WHERE e.action = 'BREACH' AND e.created_at >= :since
ORDER BY e.created_at DESC, e.id DESC
LIMIT 100;

-- name: select_open_reservations(limit)
-- What holds budget right now, the first to run out first.
SELECT
    r.reservation_id,
    r.engine,
    r.amount,
    r.created_at,
    r.expires_at
FROM risk_reservation AS r
WHERE r.state = 'open'
ORDER BY r.expires_at
LIMIT :limit;
