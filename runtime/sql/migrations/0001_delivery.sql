-- What every service keeps for delivery: outbox, inbox, parked messages, timers.

-- Outbox and inbox are rings of days, see `runtime/ring.py`: a slot is the day of the id, the last one is for
-- ids that tell no time. They are emptied by TRUNCATE, so nothing that is written today meets old rows.
CREATE SEQUENCE outbox_seq;

CREATE TABLE outbox (
    slot         smallint NOT NULL,
    id           uuid NOT NULL,
    seq          bigint NOT NULL,
    topic        text NOT NULL,
    key          text NOT NULL,
    shard        smallint NOT NULL,
    type         text NOT NULL,
    correlation  uuid NOT NULL,
    payload      bytea NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (slot, id)
) PARTITION BY LIST (slot);

CREATE TABLE inbox (
    slot         smallint NOT NULL,
    id           uuid NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (slot, id)
) PARTITION BY LIST (slot);

-- What was emitted before this is forgotten: whether it was handled cannot be known any more.
CREATE TABLE inbox_memory (begins timestamptz NOT NULL DEFAULT 'epoch');
INSERT INTO inbox_memory DEFAULT VALUES;

DO $$
BEGIN
    FOR slot IN 0..16 LOOP
        EXECUTE format('CREATE TABLE outbox_%s PARTITION OF outbox FOR VALUES IN (%s)', slot, slot);
        EXECUTE format('GRANT TRUNCATE ON outbox_%s TO %I', slot, 'wafd_' || current_schema());
    END LOOP;
    FOR slot IN 0..32 LOOP
        EXECUTE format('CREATE TABLE inbox_%s PARTITION OF inbox FOR VALUES IN (%s)', slot, slot);
        EXECUTE format('GRANT TRUNCATE ON inbox_%s TO %I', slot, 'wafd_' || current_schema());
    END LOOP;
END $$;

-- What of the outbox has not been acknowledged by the broker: small, however much the outbox keeps.
-- The shard is a part of the keys, so that several relays may share the work and keep each key's order.
CREATE TABLE unpublished (
    seq          bigint PRIMARY KEY,
    slot         smallint NOT NULL,
    id           uuid NOT NULL,
    shard        smallint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
        autovacuum_vacuum_cost_delay = 0);

-- Which relay publishes which shard, and until when it may: after that another one takes the shard over.
CREATE TABLE relay (
    id           uuid PRIMARY KEY,
    until        timestamptz NOT NULL
);
CREATE TABLE relay_shard (
    shard        smallint PRIMARY KEY,
    relay        uuid,
    until        timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO relay_shard (shard) SELECT generate_series(0, 15);

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
