-- A copy of every event, personal data apart so that it is neither searched nor shown by default.

CREATE TABLE event (
    id           uuid PRIMARY KEY,
    position     bigint GENERATED ALWAYS AS IDENTITY,
    -- With the position it orders readers who follow along: see the query `tail_events`.
    transaction  xid8 NOT NULL DEFAULT pg_current_xact_id(),
    type         text NOT NULL,
    source       text NOT NULL,
    subject      text NOT NULL,
    time         timestamptz NOT NULL,
    correlation  uuid NOT NULL,
    causation    uuid,
    data         jsonb NOT NULL,
    people       jsonb,
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX event_followed ON event (transaction, position);
CREATE INDEX event_subject ON event (subject, time);
CREATE INDEX event_correlation ON event (correlation);
CREATE INDEX event_type ON event (type, time);
CREATE INDEX event_time ON event (time, position);
CREATE INDEX event_reference ON event ((data ->> 'reference'));
CREATE INDEX event_words ON event USING gin ((data::text) public.gin_trgm_ops);
