-- Clients and their keys, the catalogue's copy, visits with their people apart, history, answers for repeated requests.

CREATE TABLE client (
    id          uuid PRIMARY KEY,
    name        text NOT NULL CHECK (name <> ''),
    country     text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    role        text NOT NULL CHECK (role IN ('ministry', 'officer', 'approver')),
    created_at  timestamptz NOT NULL
);

CREATE TABLE api_key (
    prefix      text PRIMARY KEY CHECK (prefix ~ '^[a-z0-9]{12}$'),
    client_id   uuid NOT NULL REFERENCES client,
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz CHECK (revoked_at >= created_at)
);
CREATE INDEX api_key_client ON api_key (client_id);

-- One row: the newest catalogue that scheduling has published.
CREATE TABLE catalogue (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    revision    integer NOT NULL CHECK (revision >= 1),
    content     jsonb NOT NULL
);

CREATE SEQUENCE visit_reference;

CREATE TABLE visit (
    id                uuid PRIMARY KEY,
    reference         text NOT NULL UNIQUE CHECK (reference ~ '^V-[0-9]{4}-[0-9]{6,}$'),
    client_id         uuid NOT NULL REFERENCES client,
    sender_reference  text NOT NULL CHECK (sender_reference <> ''),
    state             text NOT NULL CHECK (state IN (
        'submitted', 'information_requested', 'approved', 'waitlisted', 'proposed', 'confirmed', 'in_progress',
        'completed', 'reported', 'declined', 'withdrawn', 'cancelled')),
    revision          integer NOT NULL CHECK (revision >= 1),
    approvable        integer NOT NULL CHECK (approvable BETWEEN 1 AND revision),
    version           bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    request           jsonb NOT NULL,
    programme         jsonb,
    advice            jsonb,
    reason            text CHECK (reason <> ''),
    report_due        date,
    chase_at          timestamptz,
    report            text CHECK (report <> ''),
    submitted_at      timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    UNIQUE (client_id, sender_reference),
    CONSTRAINT people_stand_apart CHECK (NOT request ?| ARRAY['focal_point', 'alternates', 'members']),
    CONSTRAINT hosts_stand_apart CHECK (NOT programme ? 'persons'),
    CHECK ((programme IS NOT NULL) = (state IN ('proposed', 'confirmed', 'in_progress', 'completed', 'reported'))),
    CHECK ((report_due IS NOT NULL) = (state IN ('completed', 'reported'))),
    CHECK (state <> 'completed' OR chase_at IS NOT NULL),
    CHECK ((report IS NOT NULL) = (state = 'reported')),
    CHECK (advice IS NULL OR state = 'waitlisted'),
    CHECK (state NOT IN ('information_requested', 'declined', 'withdrawn', 'cancelled') OR reason IS NOT NULL)
);
CREATE INDEX visit_of_client ON visit (client_id, id);
CREATE INDEX visit_in_state ON visit (state, id);

-- Everything personal of a visit: contacts, members with their documents, and the hosts they will meet.
CREATE TABLE visit_people (
    visit_id    uuid PRIMARY KEY REFERENCES visit ON DELETE CASCADE,
    people      jsonb NOT NULL,
    hosts       jsonb
);

CREATE TABLE visit_history (
    position    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    visit_id    uuid NOT NULL REFERENCES visit ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    client_id   uuid REFERENCES client,
    command     text NOT NULL,
    from_state  text,
    to_state    text NOT NULL,
    revision    integer NOT NULL,
    reason      text
);
CREATE INDEX visit_history_of ON visit_history (visit_id, position);

-- The answer to a request is kept with its effect, so that a repetition gets the same one.
CREATE TABLE idempotency_key (
    client_id   uuid NOT NULL REFERENCES client,
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    status      integer CHECK (status BETWEEN 200 AND 299),
    headers     jsonb,
    body        text,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (client_id, key)
);
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);
