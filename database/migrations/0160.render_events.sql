-- depends: 0150.reads_over_years
-- Events as the API shows them (`state.shown`), their JSON made here, where the bodies are: every digit stays as it was
-- sent and nothing is parsed on the way. Rows of an older system can hold what JSON cannot: they have no text.
-- A function, because planning this anew cost as much as showing a dozen events.
CREATE FUNCTION render_events(trade_ids TEXT [], event_ids BIGINT [])
RETURNS TABLE (id BIGINT, text TEXT)
LANGUAGE plpgsql STABLE AS $render_events$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH told AS (
        SELECT
            s.*,
            coalesce(s.telemetry, s.legacy_payload) AS body,
            CASE
                WHEN
                    jsonb_typeof(coalesce(s.telemetry, s.legacy_payload) -> 'attributes') = 'object'
                    THEN coalesce(s.telemetry, s.legacy_payload) #> '{attributes,schema_version}'
                ELSE coalesce(s.telemetry, s.legacy_payload) -> 'schema_version'
            END AS version
        FROM unnest(trade_ids, event_ids) WITH ORDINALITY AS asked (trade_id, event_id, n)
        INNER JOIN automated_signals AS s ON asked.trade_id = s.trade_id AND asked.event_id = s.id
    ),

    shown AS (
        SELECT
            told.id,
            told.payload_version,
            told.position,
            (SELECT row_to_json(item) FROM (
                SELECT
                    told.id AS event_id,
                    told.trade_id,
                    told.event_time_source,
                    told.signal_date,
                    told.signal_time,
                    told.session,
                    told.payload_version,
                    told.direction,
                    told.bias,
                    told.symbol,
                    told.exchange,
                    told.timeframe,
                    told.strategy_id,
                    told.strategy_name,
                    told.entry_price,
                    told.stop_loss,
                    told.risk_distance,
                    told.current_price,
                    told.exit_price,
                    told.exit_reason,
                    told.mfe,
                    told.be_mfe,
                    told.no_be_mfe,
                    told.mae,
                    told.final_mfe,
                    told.contracts AS position_size,
                    told.targets,
                    told.body,
                    coalesce(told.event_type, '') AS event_type,
                    replace(
                        to_char(told.event_timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
                        '.000000',
                        ''
                    ) AS event_timestamp,
                    replace(
                        to_char(told.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), '.000000', ''
                    ) AS received_at,
                    CASE WHEN jsonb_typeof(told.version) = 'string' THEN told.version END AS schema_version,
                    coalesce(told.warnings, '[]'::jsonb) AS warnings
            ) AS item)::text AS text
        FROM told
    )

    SELECT
        shown.id,
        CASE
            WHEN shown.payload_version = 'older_row' THEN NULL
            WHEN shown.position IS NULL THEN shown.text
            ELSE left(shown.text, -1) || ', "position" : ' || shown.position::text || '}'
        END AS text
    FROM shown;
END
$render_events$;
