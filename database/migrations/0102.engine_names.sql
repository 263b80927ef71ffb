-- depends: 0101.telemetry_batch_age
-- An engine may be named as long as a domain: a wire must be able to switch off what it guards.
ALTER TABLE risk_policy DROP CONSTRAINT risk_policy_engine_check;

ALTER TABLE risk_policy ADD CONSTRAINT risk_policy_engine_check CHECK (length(engine) BETWEEN 1 AND 100);
