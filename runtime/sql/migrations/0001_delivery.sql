-- What every service keeps for delivery: outbox, inbox, parked messages, timers.

CREATE TABLE outbox (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL UNIQUE,
    topic         text NOT NULL,
    key           text NOT NULL,
    type          text NOT NULL,
    correlation   uuid NOT NULL,
    payload       bytea NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    published_at  timestamptz
);
-- The relay reads only what is not published yet, however many published rows are kept.
CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;
CREATE INDEX outbox_recorded ON outbox (recorded_at);

CREATE TABLE inbox (
    id           uuid PRIMARY KEY,
    received_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_received ON inbox USING brin (received_at);

CREATE TABLE parked (
    position     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid NOT NULL UNIQUE,
    topic        text NOT NULL,
    partition    integer NOT NULL,
    record_offset bigint NOT NULL,
    key          text NOT NULL,
    type         text,
    headers      jsonb NOT NULL,
    value        bytea,
    cause        text NOT NULL,
    fingerprint  text NOT NULL,
    state        text NOT NULL DEFAULT 'parked' CHECK (state IN ('parked', 'redriven', 'discarded')),
    attempts     integer NOT NULL DEFAULT 1 CHECK (attempts >= 0),
    parked_at    timestamptz NOT NULL DEFAULT now(),
    settled_at   timestamptz,
    reason       text,
    CHECK ((state = 'parked') = (settled_at IS NULL)),
    CHECK (state <> 'discarded' OR reason <> '')
);
CREATE INDEX parked_keys ON parked (key, position) WHERE state = 'parked';

CREATE TABLE timer (
    name         text NOT NULL,
    key          text NOT NULL,
    due_at       timestamptz NOT NULL,
    correlation  uuid NOT NULL,
    causation    uuid,
    attempts     integer NOT NULL DEFAULT 0,
    last_error   text,
    PRIMARY KEY (name, key)
);
CREATE INDEX timer_due ON timer (due_at);
