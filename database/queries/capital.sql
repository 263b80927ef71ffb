-- name: insert_intake(source, currency, amount, note, idempotency_key, request_hash, reverses_id)^
-- One record of the ledger; nothing is answered when its key, or the reversal of that record, exists already.
INSERT INTO capital_intake (source, currency, amount, note, idempotency_key, request_hash, reverses_id, created_at)
VALUES (
    :source, :currency, :amount, :note, :idempotency_key, :request_hash, :reverses_id, clock_timestamp()
)
ON CONFLICT DO NOTHING
RETURNING id, source, currency, amount, note, created_at, reverses_id;

-- name: select_intake_by_key(idempotency_key)^
-- What the first request with this key recorded.
SELECT
    c.id,
    c.source,
    c.currency,
    c.amount,
    c.note,
    c.created_at,
    c.reverses_id,
    c.request_hash
FROM capital_intake AS c
WHERE c.idempotency_key = :idempotency_key;

-- name: lock_intake(row_id)$
-- Two that reverse the same record take turns, so the second one sees what the first one did.
SELECT c.id FROM capital_intake AS c
WHERE c.id = :row_id
FOR UPDATE;

-- name: select_intake(row_id)^
-- The record that is to be reversed, and its reversal if there is one.
SELECT
    c.id,
    c.source,
    c.currency,
    c.amount,
    c.note,
    c.created_at,
    c.reverses_id,
    r.id AS reversal_id
FROM capital_intake AS c
LEFT JOIN capital_intake AS r ON c.id = r.reverses_id
WHERE c.id = :row_id;

-- name: select_intakes(source, currency, before_time, before_id, limit)
-- A page of the ledger, newest first.
SELECT
    c.id,
    c.source,
    c.currency,
    c.amount,
    c.note,
    c.created_at,
    c.reverses_id
FROM capital_intake AS c
WHERE
    (:source::text IS NULL OR c.source = :source)
    AND (:currency::text IS NULL OR c.currency = :currency)
    AND (:before_time::timestamptz IS NULL OR (c.created_at, c.id) < (:before_time, :before_id::bigint))
ORDER BY c.created_at DESC, c.id DESC
LIMIT :limit;

-- name: select_totals(until)
-- The balance of each currency, of all records up to a time.
SELECT
    c.currency,
    sum(c.amount) AS total
FROM capital_intake AS c
WHERE :until::timestamptz IS NULL OR c.created_at < :until
GROUP BY c.currency
ORDER BY c.currency;

-- name: select_flows(since, until)
-- What came in and went out of each source and currency between two times.
SELECT
    c.source,
    c.currency,
    sum(c.amount) AS net
FROM capital_intake AS c
WHERE c.created_at >= :since AND c.created_at < :until
GROUP BY c.source, c.currency
ORDER BY c.source, c.currency;

-- name: select_trends(bucket, source, currency, since, until, after_start, after_source, after_currency, limit)
-- Flows per New York day, week or month with the balance after each and the highest balance so far. A reversal
-- takes away from the side that it corrects, so a corrected deposit is no outflow.
WITH flow AS (
    SELECT
        c.source,
        c.currency,
        date_trunc(:bucket, c.created_at AT TIME ZONE 'America/New_York')::date AS start,
        coalesce(sum(c.amount) FILTER (WHERE (c.amount > 0) = (c.reverses_id IS NULL)), 0) AS inflow,
        coalesce(-sum(c.amount) FILTER (WHERE (c.amount > 0) <> (c.reverses_id IS NULL)), 0) AS outflow
    FROM capital_intake AS c
    WHERE
        (:source::text IS NULL OR c.source = :source)
        AND (:currency::text IS NULL OR c.currency = :currency)
    GROUP BY c.source, c.currency, start
),

running AS (
    SELECT
        f.source,
        f.currency,
        f.start,
        f.inflow,
        f.outflow,
        sum(f.inflow - f.outflow) OVER (PARTITION BY f.source, f.currency ORDER BY f.start) AS balance
    FROM flow AS f
),

peaked AS (
    SELECT
        r.source,
        r.currency,
        r.start,
        r.inflow,
        r.outflow,
        r.balance,
        max(r.balance) OVER (PARTITION BY r.source, r.currency ORDER BY r.start) AS peak
    FROM running AS r
)

SELECT
    p.source,
    p.currency,
    p.start,
    p.inflow,
    p.outflow,
    p.balance,
    p.peak
FROM peaked AS p
WHERE
    (:since::date IS NULL OR p.start >= :since)
    AND (:until::date IS NULL OR p.start <= :until)
    AND (
        :after_start::date IS NULL
        OR p.start < :after_start
        OR (p.start = :after_start AND (p.source, p.currency) > (:after_source, :after_currency))
    )
ORDER BY p.start DESC, p.source ASC, p.currency ASC
LIMIT :limit;

-- name: insert_rate(currency, as_of, rate)^
-- A rate is noted once for its time; nothing is answered when that time has one.
INSERT INTO capital_rates (currency, as_of, rate)
VALUES (:currency, :as_of, :rate)
ON CONFLICT (currency, as_of) DO NOTHING
RETURNING currency, as_of, rate;

-- name: select_rate(currency, as_of)^
-- What the time has as its rate already.
SELECT
    r.currency,
    r.as_of,
    r.rate
FROM capital_rates AS r
WHERE r.currency = :currency AND r.as_of = :as_of;

-- name: select_rates(until)
-- The rate of each currency that holds at a time: the newest that is not of the future.
SELECT DISTINCT ON (r.currency)
    r.currency,
    r.rate,
    r.as_of
FROM capital_rates AS r
WHERE r.as_of <= :until
ORDER BY r.currency ASC, r.as_of DESC;

-- name: upsert_profile(source, freeze_drawdown_pct, note)^
-- A source's threshold, set anew.
INSERT INTO capital_risk_profiles (source, freeze_drawdown_pct, note, updated_at)
VALUES (:source, :freeze_drawdown_pct, :note, clock_timestamp())
ON CONFLICT (source) DO UPDATE
    SET
        freeze_drawdown_pct = excluded.freeze_drawdown_pct,
        note = excluded.note,
        updated_at = excluded.updated_at
RETURNING source, freeze_drawdown_pct, note, updated_at;

-- name: delete_profile(source)!
-- The source goes back to the general threshold.
DELETE FROM capital_risk_profiles
WHERE source = :source;

-- name: select_profiles(source)
-- All thresholds, or that of one source.
SELECT
    p.source,
    p.freeze_drawdown_pct,
    p.note,
    p.updated_at
FROM capital_risk_profiles AS p
WHERE :source::text IS NULL OR p.source = :source
ORDER BY p.source;
