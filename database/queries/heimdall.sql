-- name: select_policies(domain)
-- The charters of all domains, or of one.
SELECT
    p.domain,
    p.min_confidence_prod,
    p.min_sandbox_trials,
    p.min_sandbox_success_rate,
    p.prod_use_enabled,
    p.scorecard_window_days,
    p.use_wilson,
    p.changed_by,
    p.reason,
    p.updated_at
FROM heimdall_policy AS p
WHERE :domain::text IS NULL OR p.domain = :domain
ORDER BY p.domain;

-- name: insert_unknown_policy(domain, changed_by, reason)!
-- A domain that nobody has configured gets the default thresholds, with production off.
INSERT INTO heimdall_policy (domain, changed_by, reason)
VALUES (:domain, :changed_by, :reason)
ON CONFLICT (domain) DO NOTHING;

-- name: lock_policy(domain)$
-- One change or decision at a time per domain.
SELECT p.domain
FROM heimdall_policy AS p
WHERE p.domain = :domain
FOR NO KEY UPDATE;

-- name: update_policy(row)^
-- Changes only what is not NULL.
UPDATE heimdall_policy AS p
SET
    min_confidence_prod = coalesce(g.min_confidence_prod, p.min_confidence_prod),
    min_sandbox_trials = coalesce(g.min_sandbox_trials, p.min_sandbox_trials),
    min_sandbox_success_rate = coalesce(g.min_sandbox_success_rate, p.min_sandbox_success_rate),
    prod_use_enabled = coalesce(g.prod_use_enabled, p.prod_use_enabled),
    scorecard_window_days = coalesce(g.scorecard_window_days, p.scorecard_window_days),
    use_wilson = coalesce(g.use_wilson, p.use_wilson),
    changed_by = g.changed_by,
    reason = coalesce(g.reason, p.reason),
    updated_at = clock_timestamp()
FROM
    jsonb_to_record(:row::jsonb) AS g (
        domain TEXT, min_confidence_prod NUMERIC, min_sandbox_trials INTEGER, min_sandbox_success_rate NUMERIC,
        prod_use_enabled BOOLEAN, scorecard_window_days INTEGER, use_wilson BOOLEAN, changed_by TEXT, reason TEXT
    )
WHERE p.domain = g.domain
RETURNING p.*;

-- name: insert_trial_event(domain, confidence, success, actor, request_key)$
-- One trial per key of the sender's; returns nothing when it is known.
INSERT INTO heimdall_event (domain, action, confidence, success, actor, request_key)
VALUES (:domain, 'TRIAL', :confidence, :success, :actor, :request_key)
ON CONFLICT (request_key) DO NOTHING
RETURNING id;

-- name: select_trial_by_key(request_key)^
-- What the first trial with this key was.
SELECT
    e.domain,
    e.confidence,
    e.success
FROM heimdall_event AS e
WHERE e.request_key = :request_key;

-- name: insert_event(domain, action, recommendation_id, success, actor)!
-- What else happened to a recommendation.
INSERT INTO heimdall_event (domain, action, recommendation_id, success, actor)
VALUES (:domain, :action, :recommendation_id, :success, :actor);

-- name: count_trial(day, domain, confidence, success)!
-- Adds a trial to the scorecard of a day.
INSERT INTO heimdall_scorecard_day AS s (day, domain, trials, successes, confidence_sum, updated_at)
VALUES (
    :day, :domain, 1, :success::boolean::integer, :confidence, clock_timestamp()
)
ON CONFLICT (day, domain) DO UPDATE
    SET
        trials = s.trials + 1,
        successes = s.successes + excluded.successes,
        confidence_sum = s.confidence_sum + excluded.confidence_sum,
        updated_at = excluded.updated_at;

-- name: select_scorecards(domain, since, until)
-- Scorecards by day.
SELECT
    s.day,
    s.domain,
    s.trials,
    s.successes,
    s.confidence_sum,
    s.updated_at
FROM heimdall_scorecard_day AS s
WHERE
    (:domain::text IS NULL OR s.domain = :domain)
    AND s.day BETWEEN :since AND :until
ORDER BY s.day DESC, s.domain ASC;

-- name: select_window(domain, since, until)^
-- Trials and successes over some days.
SELECT
    coalesce(sum(s.trials), 0)::integer AS trials,
    coalesce(sum(s.successes), 0)::integer AS successes
FROM heimdall_scorecard_day AS s
WHERE
    s.domain = :domain
    AND s.day BETWEEN :since AND :until;

-- name: insert_recommendation(row)^
-- Keeps advice with the gate's verdict; returns nothing when the sender's key is known.
INSERT INTO heimdall_recommendation AS r (
    domain, confidence, recommendation, evidence, actor, prod_eligible, gate_reason, content_hash, request_key,
    created_at, expires_at
)
WITH clock AS (SELECT clock_timestamp() AS now)

SELECT
    g.domain,
    g.confidence,
    g.recommendation,
    g.evidence,
    g.actor,
    g.prod_eligible,
    g.gate_reason,
    g.content_hash,
    g.request_key,
    clock.now,
    clock.now + make_interval(secs => g.seconds) AS expires_at
FROM
    jsonb_to_record(:row::jsonb) AS g (
        domain TEXT, confidence NUMERIC, recommendation JSONB, evidence JSONB, actor TEXT, prod_eligible BOOLEAN,
        gate_reason TEXT, content_hash TEXT, request_key TEXT, seconds DOUBLE PRECISION
    )
CROSS JOIN clock
ON CONFLICT (request_key) DO NOTHING
RETURNING
    r.id, r.domain, r.confidence, r.prod_eligible, r.gate_reason, r.content_hash, r.created_at, r.expires_at;

-- name: select_recommendation_by_key(request_key)^
-- What was answered to the first request with this key.
SELECT
    r.id,
    r.domain,
    r.confidence,
    r.prod_eligible,
    r.gate_reason,
    r.content_hash,
    r.created_at,
    r.expires_at
FROM heimdall_recommendation AS r
WHERE r.request_key = :request_key;

-- name: lock_recommendation(id)^
-- One recommendation, to decide on its use or its outcome.
SELECT
    r.id,
    r.domain,
    r.prod_eligible,
    r.gate_reason,
    r.content_hash,
    r.used_at,
    r.success,
    r.followed,
    r.outcome_at,
    clock_timestamp() >= r.expires_at AS is_expired
FROM heimdall_recommendation AS r
WHERE r.id = :id
FOR NO KEY UPDATE;

-- name: mark_used(id, used_by)!
-- Once used, never again.
UPDATE heimdall_recommendation
SET used_at = clock_timestamp(), used_by = :used_by
WHERE heimdall_recommendation.id = :id;

-- name: record_outcome(id, success, followed)^
-- What came of the advice.
UPDATE heimdall_recommendation
SET success = :success, followed = :followed, outcome_at = clock_timestamp()
WHERE heimdall_recommendation.id = :id
RETURNING heimdall_recommendation.outcome_at;

-- name: select_calibration(domain)
-- Sums over advice with an outcome, per tenth of confidence; 1 belongs to the last one.
SELECT
    least(floor(r.confidence * 10), 9)::integer AS number,
    count(*)::integer AS count,
    sum(r.confidence) AS confidence_sum,
    (count(*) FILTER (WHERE r.success))::integer AS successes,
    sum((r.confidence - r.success::integer) * (r.confidence - r.success::integer)) AS squared_error_sum
FROM heimdall_recommendation AS r
WHERE r.success IS NOT NULL AND (:domain::text IS NULL OR r.domain = :domain)
GROUP BY least(floor(r.confidence * 10), 9)
ORDER BY least(floor(r.confidence * 10), 9);
