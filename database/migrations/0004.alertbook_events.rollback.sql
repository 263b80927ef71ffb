-- The columns hold alerts and older code ignores them: they stay. Older code's own key comes back.
DROP TABLE signal_window;

DROP INDEX automated_signals_older_rows;

DROP INDEX automated_signals_received;

ALTER TABLE automated_signals
DROP CONSTRAINT automated_signals_text_lengths,
DROP CONSTRAINT automated_signals_trade_id_length,
DROP CONSTRAINT automated_signals_event_key,
DROP CONSTRAINT automated_signals_pkey;

ALTER TABLE automated_signals ADD CONSTRAINT automated_signals_pkey PRIMARY KEY (id);

ALTER TABLE automated_signals
ALTER COLUMN trade_id DROP NOT NULL,
ALTER COLUMN event_key DROP NOT NULL,
ALTER COLUMN event_key DROP DEFAULT,
ALTER COLUMN payload_version DROP NOT NULL,
ALTER COLUMN received_at DROP NOT NULL,
ALTER COLUMN event_timestamp DROP NOT NULL,
ALTER COLUMN event_time_source DROP NOT NULL;
