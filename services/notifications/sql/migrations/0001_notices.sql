-- One row for every message to one recipient about one event, kept as it was rendered.
CREATE TABLE notice (
    id uuid PRIMARY KEY,
    visit_id uuid NOT NULL,
    cause uuid NOT NULL,
    cause_type text NOT NULL,
    audience text NOT NULL CHECK (audience IN ('ministry', 'host', 'expert', 'interpreter', 'escort', 'office')),
    person text,
    channel text NOT NULL DEFAULT 'email' CHECK (channel IN ('email')),
    language text NOT NULL CHECK (language IN ('ar', 'en')),
    template text NOT NULL,
    template_version text NOT NULL,
    -- The sessions that the person has in this visit from this notice on; they name people by code only.
    sessions jsonb NOT NULL DEFAULT '[]',
    state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'suppressed')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    created_at timestamptz NOT NULL,
    next_attempt_at timestamptz,
    last_attempt_at timestamptz,
    last_error text,
    -- The person's code, or the mailbox in small letters: never two notices of one cause to one recipient.
    -- Erasure of a mailbox puts the notice's id in its place.
    recipient text NOT NULL,
    -- Personal data: set to NULL when it is erased; only a notice that still waits needs it.
    address text,
    name text,
    subject text,
    body_text text,
    body_html text,
    invitations jsonb,
    UNIQUE (cause, recipient),
    CHECK ((state = 'waiting') = (next_attempt_at IS NOT NULL)),
    CHECK ((attempts > 0) = (last_attempt_at IS NOT NULL)),
    CHECK (state <> 'waiting' OR num_nulls(address, subject, body_text, body_html, invitations) = 0),
    CHECK (state NOT IN ('failed', 'suppressed') OR last_error IS NOT NULL)
);

COMMENT ON COLUMN notice.last_error IS 'Why it was not delivered, in words without personal data';

CREATE INDEX notice_visit ON notice (visit_id, person);
