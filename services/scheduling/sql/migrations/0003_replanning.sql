-- What is needed to plan a programme anew: blocks, pins, every release, and who waits since when.

CREATE TABLE block (
    id uuid PRIMARY KEY,
    resource text NOT NULL CHECK (resource ~ '^(centre|(person|venue):[a-z0-9-]+)$'),
    during tstzrange NOT NULL
        CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)
               AND lower_inc(during) AND NOT upper_inc(during)),
    reason text NOT NULL CHECK (reason <> ''),
    added_by text NOT NULL CHECK (added_by <> ''),
    added_at timestamptz NOT NULL
);
CREATE INDEX block_during ON block USING gist (during);
COMMENT ON COLUMN block.reason IS 'Personal data, of health among others; the row goes when the block is lifted or long over';

ALTER TABLE visit
    ADD COLUMN pinned text[] NOT NULL DEFAULT '{}',          -- keys of slots that an officer wants kept
    ADD COLUMN replan_because text CHECK (replan_because <> ''),
    ADD COLUMN waiting_since timestamptz,                    -- on the waiting list, if no programme was possible
    ADD COLUMN tried bigint NOT NULL DEFAULT 0;              -- the number of `giving_back` when it was last in vain
UPDATE visit SET waiting_since = changed_at WHERE state = 'infeasible';
ALTER TABLE visit
    ADD CHECK (state <> 'infeasible' OR waiting_since IS NOT NULL),
    ADD CHECK (replan_because IS NULL OR jsonb_array_length(slots) >= 1);
COMMENT ON COLUMN visit.replan_because IS 'Why the held programme is to be planned anew; an officer may have written it';
CREATE INDEX visit_waiting ON visit (waiting_since) WHERE state = 'infeasible';

-- Where the people of a booked session are, so that the way to the next one can be counted.
ALTER TABLE booking ADD COLUMN venue text;
UPDATE booking SET venue = substr(held.resource, 7)
FROM booking AS held
WHERE held.visit_id = booking.visit_id AND held.slot_key = booking.slot_key AND held.resource LIKE 'venue:%';
ALTER TABLE booking ALTER COLUMN venue SET NOT NULL;

-- Every release of every programme, as it was told.
CREATE TABLE release (
    visit_id uuid NOT NULL REFERENCES visit (id) ON DELETE CASCADE,
    release integer NOT NULL CHECK (release >= 1),
    revision integer NOT NULL CHECK (revision >= 1),
    kind text NOT NULL CHECK (kind IN ('proposed', 'revised', 'firm', 'cancelled')),
    slots jsonb NOT NULL CHECK (jsonb_typeof(slots) = 'array'),
    score jsonb,
    cause text NOT NULL CHECK (cause <> ''),
    made_at timestamptz NOT NULL,
    PRIMARY KEY (visit_id, release),
    CHECK ((kind = 'cancelled') = (jsonb_array_length(slots) = 0))
);
COMMENT ON COLUMN release.cause IS 'An officer may have written it';
INSERT INTO release (visit_id, release, revision, kind, slots, cause, made_at)
SELECT id, release, revision, CASE state WHEN 'released' THEN 'firm' ELSE 'proposed' END, slots,
    'told before releases were kept', changed_at
FROM visit WHERE jsonb_array_length(slots) >= 1;

-- How often something was given back that a waiting visit might need; one row.
CREATE TABLE giving_back (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    number bigint NOT NULL DEFAULT 1
);
INSERT INTO giving_back DEFAULT VALUES;
