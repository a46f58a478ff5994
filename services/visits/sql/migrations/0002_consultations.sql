-- What other bodies were asked about a request, and what they answered; the contact is the personal part.
CREATE TABLE consultation (
    visit_id          uuid NOT NULL REFERENCES visit ON DELETE CASCADE,
    number            integer NOT NULL CHECK (number >= 1),
    revision          integer NOT NULL CHECK (revision >= 1),
    body              text NOT NULL CHECK (body <> ''),
    contact_name      text CHECK (contact_name <> ''),
    contact_email     text NOT NULL CHECK (contact_email LIKE '%_@_%'),
    contact_language  text NOT NULL CHECK (contact_language IN ('ar', 'en')),
    veto              boolean NOT NULL,
    question          text CHECK (question <> ''),
    days              integer NOT NULL CHECK (days BETWEEN 1 AND 30),
    status            text NOT NULL CHECK (status IN (
        'open', 'consented', 'objected', 'consented_by_silence', 'closed')),
    opened_at         timestamptz NOT NULL,
    respond_by        timestamptz NOT NULL CHECK (respond_by > opened_at),
    act_at            timestamptz CHECK (act_at >= respond_by),
    ended_at          timestamptz CHECK (ended_at >= opened_at),
    reason            text CHECK (reason <> ''),
    PRIMARY KEY (visit_id, number),
    CHECK ((status = 'open') = (act_at IS NOT NULL)),
    CHECK ((status = 'open') = (ended_at IS NULL)),
    CHECK (status <> 'objected' OR reason IS NOT NULL),
    CHECK (status IN ('consented', 'objected') OR reason IS NULL),
    CONSTRAINT silence_is_no_answer_of_a_veto CHECK (NOT (veto AND status = 'consented_by_silence')),
    CONSTRAINT silence_lasts_until_the_deadline CHECK (status <> 'consented_by_silence' OR ended_at >= respond_by)
);
CREATE UNIQUE INDEX consultation_open_with ON consultation (visit_id, body) WHERE status = 'open';
