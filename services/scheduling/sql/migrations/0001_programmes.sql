-- The Centre's master data as loaded, the visits to plan, and what is booked for them.

CREATE TABLE centre (
    revision integer PRIMARY KEY CHECK (revision >= 1),
    content_hash text NOT NULL CHECK (content_hash <> ''),
    master_data jsonb NOT NULL,
    loaded_at timestamptz NOT NULL
);

CREATE TABLE visit (
    id uuid PRIMARY KEY,
    reference text NOT NULL CHECK (reference <> ''),
    country text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    ministry text NOT NULL CHECK (ministry <> ''),
    revision integer NOT NULL CHECK (revision >= 1),         -- of the request, as approved
    latest_revision integer NOT NULL,                        -- of the request, as heard of
    state text NOT NULL CHECK (state IN ('wanted', 'proposed', 'released', 'infeasible', 'cancelled')),
    needs jsonb NOT NULL,
    people jsonb NOT NULL,                                   -- personal data, nowhere else in this row
    release integer NOT NULL DEFAULT 0 CHECK (release >= 0), -- of the programme, 0 before the first
    slots jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(slots) = 'array'),
    changed_at timestamptz NOT NULL,
    CHECK (latest_revision >= revision),
    CHECK (state NOT IN ('proposed', 'released') OR (release >= 1 AND jsonb_array_length(slots) >= 1)),
    CHECK (state NOT IN ('infeasible', 'cancelled') OR jsonb_array_length(slots) = 0)
);

-- Two visits never hold one resource at one time, whatever the number of planners.
CREATE TABLE booking (
    visit_id uuid NOT NULL REFERENCES visit (id) ON DELETE CASCADE,
    release integer NOT NULL CHECK (release >= 1),           -- that booked it
    slot_key text NOT NULL CHECK (slot_key <> ''),
    resource text NOT NULL CHECK (resource ~ '^(person|venue|visit):[a-z0-9-]+$'),
    during tstzrange NOT NULL
        CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)
               AND lower_inc(during) AND NOT upper_inc(during)),
    PRIMARY KEY (visit_id, slot_key, resource),
    EXCLUDE USING gist (resource WITH =, during WITH &&)
);
CREATE INDEX booking_during ON booking USING gist (during);
