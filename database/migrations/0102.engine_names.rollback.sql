-- Fails while an engine has a longer name: such caps are not thrown away.
ALTER TABLE risk_policy DROP CONSTRAINT risk_policy_engine_check;

ALTER TABLE risk_policy ADD CONSTRAINT risk_policy_engine_check CHECK (length(engine) BETWEEN 1 AND 50);
