-- depends: 0082.open_trades_by_day
-- Two more states of a delivery. sending: the message is on its way, or was when its worker died. unknown: the receiver
-- was handed the message and never answered, so it may have it; one that cannot recognise a repeat gets no second.
ALTER TABLE notice_delivery DROP CONSTRAINT notice_delivery_status_check;

ALTER TABLE notice_delivery ADD CONSTRAINT notice_delivery_status_check
CHECK (status IN ('pending', 'sending', 'delivered', 'unknown', 'given_up'));

CREATE INDEX notice_delivery_open ON notice_delivery (next_attempt_at) WHERE status IN ('pending', 'sending');

DROP INDEX notice_delivery_due;
