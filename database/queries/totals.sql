-- name: lock_totals_shared()
-- Folds append side by side; only who counts everything anew keeps them out.
SELECT pg_advisory_xact_lock_shared(1097622102, 0);

-- name: lock_totals()
-- While everything is counted anew no fold may be half way.
SELECT pg_advisory_xact_lock(1097622102, 0);

-- name: try_lock_recount()$
-- Processes that start together need not all count.
SELECT pg_try_advisory_xact_lock(1097622106, 0);

-- name: insert_tallies(rows)!
-- What a fold changed in the totals.
INSERT INTO trade_tally (
    hour, session, status, uncertain, trades, events, mfe_n, mfe_sum, r_n, r_sum, wins, wins_sum, losses, losses_sum,
    points_won, points_lost, points_even
)
SELECT
    r.hour,
    r.session,
    r.status,
    r.uncertain,
    r.trades,
    r.events,
    r.mfe_n,
    r.mfe_sum,
    r.r_n,
    r.r_sum,
    r.wins,
    r.wins_sum,
    r.losses,
    r.losses_sum,
    r.points_won,
    r.points_lost,
    r.points_even
FROM
    jsonb_to_recordset(:rows::jsonb) AS r (
        hour INTEGER, session TEXT, status TEXT, uncertain BOOLEAN, trades BIGINT, events BIGINT, mfe_n BIGINT,
        mfe_sum NUMERIC, r_n BIGINT, r_sum NUMERIC, wins BIGINT, wins_sum NUMERIC, losses BIGINT, losses_sum NUMERIC,
        points_won BIGINT, points_lost BIGINT, points_even BIGINT
    );

-- name: select_tallies()
-- The totals over all trades, by what they are shown by.
SELECT
    t.hour,
    t.session,
    t.status,
    t.uncertain,
    sum(t.trades)::bigint AS trades,
    sum(t.events)::bigint AS events,
    sum(t.mfe_n)::bigint AS mfe_n,
    sum(t.mfe_sum) AS mfe_sum,
    sum(t.r_n)::bigint AS r_n,
    sum(t.r_sum) AS r_sum,
    sum(t.wins)::bigint AS wins,
    sum(t.wins_sum) AS wins_sum,
    sum(t.losses)::bigint AS losses,
    sum(t.losses_sum) AS losses_sum,
    sum(t.points_won)::bigint AS points_won,
    sum(t.points_lost)::bigint AS points_lost,
    sum(t.points_even)::bigint AS points_even
FROM trade_tally AS t
GROUP BY t.hour, t.session, t.status, t.uncertain
HAVING sum(t.trades) <> 0
ORDER BY t.hour, t.session, t.status, t.uncertain;

-- name: select_tallies_of(status, direction, session, symbol, strategy, since, until)
-- The same over the trades that pass the filters, counted from their summaries.
SELECT
    t.session,
    t.status,
    t.uncertain,
    extract(HOUR FROM t.trade_time AT TIME ZONE 'America/New_York')::int AS hour,
    count(*) AS trades,
    sum(t.event_count)::bigint AS events,
    count(t.max_mfe) AS mfe_n,
    coalesce(sum(t.max_mfe), 0) AS mfe_sum,
    count(t.realized_r) AS r_n,
    coalesce(sum(t.realized_r), 0) AS r_sum,
    count(*) FILTER (WHERE t.realized_r > 0) AS wins,
    coalesce(sum(t.realized_r) FILTER (WHERE t.realized_r > 0), 0) AS wins_sum,
    count(*) FILTER (WHERE t.realized_r < 0) AS losses,
    coalesce(sum(t.realized_r) FILTER (WHERE t.realized_r < 0), 0) AS losses_sum,
    count(*) FILTER (WHERE t.realized_r IS NULL AND t.realized_points > 0) AS points_won,
    count(*) FILTER (WHERE t.realized_r IS NULL AND t.realized_points < 0) AS points_lost,
    count(*) FILTER (WHERE t.realized_r IS NULL AND t.realized_points = 0) AS points_even
FROM trade_summary AS t
WHERE
    (:status::text [] IS NULL OR t.status = any(:status))
    AND (:direction::text IS NULL OR t.direction = :direction)
    AND (:session::text IS NULL OR t.session = :session)
    AND (:symbol::text IS NULL OR t.symbol = :symbol)
    AND (:strategy::text IS NULL OR t.strategy_id = :strategy)
    AND (:since::timestamptz IS NULL OR t.trade_time >= :since)
    AND (:until::timestamptz IS NULL OR t.trade_time < :until)
GROUP BY 4, 1, 2, 3
ORDER BY 4, 1, 2, 3;

-- name: select_drawdown(status, direction, session, symbol, strategy, since, until)$
-- The largest fall of cumulative R from its peak, over the decided trades that pass, in order of exit.
SELECT max(course.peak - course.equity)
FROM (
    SELECT
        run.equity,
        greatest(0, max(run.equity) OVER (ORDER BY run.place ROWS UNBOUNDED PRECEDING)) AS peak
    FROM (
        SELECT
            row_number() OVER ordered AS place,
            sum(t.realized_r) OVER (ordered ROWS UNBOUNDED PRECEDING) AS equity
        FROM trade_summary AS t
        WHERE
            t.status = 'COMPLETED' AND NOT t.uncertain AND t.realized_r IS NOT NULL
            AND (:status::text [] IS NULL OR t.status = any(:status))
            AND (:direction::text IS NULL OR t.direction = :direction)
            AND (:session::text IS NULL OR t.session = :session)
            AND (:symbol::text IS NULL OR t.symbol = :symbol)
            AND (:strategy::text IS NULL OR t.strategy_id = :strategy)
            AND (:since::timestamptz IS NULL OR t.trade_time >= :since)
            AND (:until::timestamptz IS NULL OR t.trade_time < :until)
        WINDOW ordered AS (ORDER BY t.exit_time NULLS LAST, t.trade_id COLLATE "C")
    ) AS run
) AS course;

-- name: mark_days(days)!
-- Days whose results changed.
INSERT INTO result_day_dirty (day)
SELECT asked.day
FROM unnest(:days::date []) AS asked (day);

-- name: select_dirty_days()
-- The marks as seen before the days are counted: exactly these are removed afterwards.
SELECT
    d.day,
    d.seq
FROM result_day_dirty AS d
LIMIT 20000;

-- name: lock_days()
-- One reader at a time counts days, so that none is counted from an older view than another's.
SELECT pg_advisory_xact_lock(1097622103, 0);

-- name: count_days(days)
-- Each day's results counted again; a day without results has no row.
WITH asked AS MATERIALIZED (
    SELECT DISTINCT days.day
    FROM unnest(:days::date []) AS days (day)
),

run AS (
    SELECT
        asked.day,
        row_number() OVER ordered AS place,
        sum(t.realized_r) OVER (ordered ROWS UNBOUNDED PRECEDING) AS equity
    FROM asked
    INNER JOIN trade_summary AS t
        ON
            t.exit_time >= asked.day::timestamp AT TIME ZONE 'UTC'
            AND t.exit_time < (asked.day + 1)::timestamp AT TIME ZONE 'UTC'
    WHERE t.status = 'COMPLETED' AND NOT t.uncertain AND t.realized_r IS NOT NULL
    WINDOW ordered AS (PARTITION BY asked.day ORDER BY t.exit_time, t.trade_id COLLATE "C")
),

course AS (
    SELECT
        run.day,
        run.place,
        run.equity,
        greatest(0, max(run.equity) OVER (PARTITION BY run.day ORDER BY run.place ROWS UNBOUNDED PRECEDING)) AS peak
    FROM run
)

SELECT
    course.day,
    (array_agg(course.equity ORDER BY course.place DESC))[1] AS total,
    max(course.peak) AS peak,
    least(0, min(course.equity)) AS low,
    max(course.peak - course.equity) AS drawdown
FROM course
GROUP BY course.day;

-- name: delete_days(days)!
-- What was counted before goes.
DELETE FROM result_day AS r
WHERE r.day = any(:days::date []);

-- name: insert_days(rows)!
-- What was counted now takes its place.
INSERT INTO result_day (day, total, peak, low, drawdown)
SELECT
    r.day,
    r.total,
    r.peak,
    r.low,
    r.drawdown
FROM
    jsonb_to_recordset(:rows::jsonb) AS r (day DATE, total NUMERIC, peak NUMERIC, low NUMERIC, drawdown NUMERIC);

-- name: delete_dirty_days(days, seqs)!
-- Removes the marks that were dealt with; marks made since then stay.
DELETE FROM result_day_dirty AS d
USING unnest(:days::date [], :seqs::bigint []) AS seen (day, seq)
WHERE d.day = seen.day AND d.seq = seen.seq;

-- name: delete_months(days)!
-- The months of days that were counted again.
DELETE FROM result_month AS r
WHERE r.month IN (
    SELECT date_trunc('month', days.day::timestamp)::date
    FROM unnest(:days::date []) AS days (day)
);

-- name: insert_months(days)!
-- Their days put together: within a day as it was counted, or from the highest of the days before to its lowest.
INSERT INTO result_month (month, total, peak, low, drawdown)
WITH asked AS MATERIALIZED (
    SELECT DISTINCT date_trunc('month', days.day::timestamp)::date AS month
    FROM unnest(:days::date []) AS days (day)
),

run AS (
    SELECT
        asked.month,
        r.day,
        r.total,
        r.peak,
        r.low,
        r.drawdown,
        coalesce(sum(r.total) OVER before, 0) AS begun
    FROM asked
    INNER JOIN result_day AS r ON asked.month <= r.day AND r.day < asked.month + interval '1 month'
    WINDOW before AS (PARTITION BY asked.month ORDER BY r.day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),

course AS (
    SELECT
        run.month,
        run.total,
        run.drawdown,
        run.begun + run.peak AS highest,
        run.begun + run.low AS lowest,
        greatest(0, max(run.begun + run.peak) OVER before) AS highest_before
    FROM run
    WINDOW before AS (PARTITION BY run.month ORDER BY run.day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)

SELECT
    course.month,
    sum(course.total) AS total,
    max(course.highest) AS peak,
    min(course.lowest) AS low,
    max(greatest(course.drawdown, course.highest_before - course.lowest)) AS drawdown
FROM course
GROUP BY course.month;

-- name: select_drawdown_of_months()$
-- The largest fall of cumulative R over every month's results, oldest first: within a month as it was counted, or from
-- the highest of the months before to the month's lowest.
WITH run AS (
    SELECT
        r.month,
        r.peak,
        r.low,
        r.drawdown,
        coalesce(sum(r.total) OVER before, 0) AS begun
    FROM result_month AS r
    WINDOW before AS (ORDER BY r.month ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),

course AS (
    SELECT
        run.drawdown,
        run.begun + run.low AS lowest,
        greatest(0, max(run.begun + run.peak) OVER before) AS highest
    FROM run
    WINDOW before AS (ORDER BY run.month ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)

SELECT coalesce(max(greatest(course.drawdown, course.highest - course.lowest)), 0)
FROM course;

-- name: count_parts()$
-- How many parts the totals have: many are worth putting together.
SELECT count(*)
FROM trade_tally;

-- name: compact_tallies()!
-- The sums take the place of their parts; parts that come meanwhile stay beside them.
WITH gone AS (
    DELETE FROM trade_tally
    RETURNING trade_tally.*
)

INSERT INTO trade_tally (
    hour, session, status, uncertain, trades, events, mfe_n, mfe_sum, r_n, r_sum, wins, wins_sum, losses, losses_sum,
    points_won, points_lost, points_even
)
SELECT
    gone.hour,
    gone.session,
    gone.status,
    gone.uncertain,
    sum(gone.trades) AS trades,
    sum(gone.events) AS events,
    sum(gone.mfe_n) AS mfe_n,
    sum(gone.mfe_sum) AS mfe_sum,
    sum(gone.r_n) AS r_n,
    sum(gone.r_sum) AS r_sum,
    sum(gone.wins) AS wins,
    sum(gone.wins_sum) AS wins_sum,
    sum(gone.losses) AS losses,
    sum(gone.losses_sum) AS losses_sum,
    sum(gone.points_won) AS points_won,
    sum(gone.points_lost) AS points_lost,
    sum(gone.points_even) AS points_even
FROM gone
GROUP BY gone.hour, gone.session, gone.status, gone.uncertain
HAVING sum(gone.trades) <> 0;

-- name: delete_tallies()!
-- To be counted anew.
DELETE FROM trade_tally;

-- name: select_days_of_trades()
-- Every day that has results now.
SELECT DISTINCT (t.exit_time AT TIME ZONE 'UTC')::date AS day
FROM trade_summary AS t
WHERE t.exit_time IS NOT NULL;

-- name: mark_counted_days()!
-- Every day that had results when it was counted, and a day of every month that had.
INSERT INTO result_day_dirty (day)
SELECT r.day
FROM result_day AS r
UNION
SELECT r.month
FROM result_month AS r;
