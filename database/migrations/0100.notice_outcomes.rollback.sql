-- What the older code does not know is given up for it, and the reason stays.
UPDATE notice_delivery
SET status = 'given_up', last_error = coalesce(last_error, 'sent, and nobody knows whether it arrived')
WHERE status IN ('sending', 'unknown');

ALTER TABLE notice_delivery DROP CONSTRAINT notice_delivery_status_check;

ALTER TABLE notice_delivery ADD CONSTRAINT notice_delivery_status_check
CHECK (status IN ('pending', 'delivered', 'given_up'));

CREATE INDEX notice_delivery_due ON notice_delivery (next_attempt_at) WHERE status = 'pending';

DROP INDEX notice_delivery_open;
