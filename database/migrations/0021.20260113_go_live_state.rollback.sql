-- The audit keeps every change of the switches.
DROP TABLE go_live_state;
