-- Counts of notices by state, for `wafd lag` and the metrics, without reading what they say.
CREATE INDEX notice_state ON notice (state, created_at);
