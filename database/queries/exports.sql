-- name: select_ends(trade_ids, event_ids)
-- What a line of an export tells beyond what the API shows of an event, as JSON.
SELECT
    s.id,
    s.trade_id,
    s.event_key,
    s.event_type,
    json_build_object(
        'account_size', s.account_size,
        'risk_percent', s.risk_percent,
        'risk_amount', s.risk_amount,
        'event_key', s.event_key,
        'body_column', CASE WHEN s.telemetry IS NULL THEN 'legacy_payload' ELSE 'telemetry' END
    )::text AS text
FROM unnest(:trade_ids::text [], :event_ids::bigint []) WITH ORDINALITY AS asked (trade_id, event_id, n)
INNER JOIN automated_signals AS s ON asked.trade_id = s.trade_id AND asked.event_id = s.id;

-- name: select_cells(trade_ids, event_ids)
-- The cells of an export's CSV; the trades that were derived are filled in elsewhere.
WITH sent AS (
    SELECT
        e.*,
        coalesce(e.telemetry, e.legacy_payload) AS body
    FROM unnest(:trade_ids::text [], :event_ids::bigint []) WITH ORDINALITY AS asked (trade_id, event_id, n)
    INNER JOIN automated_signals AS e ON asked.trade_id = e.trade_id AND asked.event_id = e.id
    WHERE e.payload_version <> 'older_row'
)

SELECT
    s.id::text AS event_id,
    s.trade_id,
    NULL AS derived_trade_ids,
    s.event_time_source,
    s.signal_date::text AS signal_date,
    s.signal_time::text AS signal_time,
    s.session,
    s.payload_version,
    s.direction,
    s.bias,
    s.symbol,
    s.exchange,
    s.timeframe,
    s.strategy_id,
    s.strategy_name,
    s.entry_price::text AS entry_price,
    s.stop_loss::text AS stop_loss,
    s.risk_distance::text AS risk_distance,
    s.current_price::text AS current_price,
    s.exit_price::text AS exit_price,
    s.exit_reason,
    s.mfe::text AS mfe,
    s.be_mfe::text AS be_mfe,
    s.no_be_mfe::text AS no_be_mfe,
    s.mae::text AS mae,
    s.final_mfe::text AS final_mfe,
    s.contracts::text AS position_size,
    s.account_size::text AS account_size,
    s.risk_percent::text AS risk_percent,
    s.risk_amount::text AS risk_amount,
    s.targets::text AS targets,
    s.position::text AS position,
    s.event_key,
    s.body::text AS body,
    coalesce(s.event_type, '') AS event_type,
    replace(
        to_char(s.event_timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), '.000000', ''
    ) AS event_timestamp,
    replace(
        to_char(s.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), '.000000', ''
    ) AS received_at,
    CASE
        WHEN jsonb_typeof(s.body -> 'attributes') = 'object'
            THEN
                CASE
                    WHEN jsonb_typeof(s.body #> '{attributes,schema_version}') = 'string'
                        THEN s.body #>> '{attributes,schema_version}'
                END
        WHEN jsonb_typeof(s.body -> 'schema_version') = 'string' THEN s.body ->> 'schema_version'
    END AS schema_version,
    nullif(s.warnings, '[]')::text AS warnings,
    CASE WHEN s.telemetry IS NULL THEN 'legacy_payload' ELSE 'telemetry' END AS body_column
FROM sent AS s;
