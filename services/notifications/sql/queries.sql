-- name: sessions_told
-- The sessions that each person was last told to have in a visit; who could not be written to knows of none.
SELECT DISTINCT ON (person) person, sessions
FROM notice
WHERE visit_id = $1 AND person IS NOT NULL AND state <> 'suppressed'
ORDER BY person, created_at DESC, id DESC

-- name: add_notices
-- Write the notices of one cause; a recipient who has one of this cause already gets no other.
INSERT INTO notice (
    id, visit_id, cause, cause_type, audience, person, language, template, template_version, sessions,
    state, created_at, next_attempt_at, last_error, recipient, address, name, subject, body_text, body_html,
    invitations
)
SELECT
    new.id, $1, $2, $3, new.audience, new.person, new.language, new.template, $4, new.sessions,
    CASE WHEN new.unsendable IS NULL THEN 'waiting' ELSE 'suppressed' END, $5::timestamptz,
    CASE WHEN new.unsendable IS NULL THEN $5::timestamptz END, new.unsendable, new.recipient, new.address, new.name,
    new.subject, new.body_text, new.body_html, new.invitations
FROM jsonb_to_recordset($6::jsonb) AS new (
    id uuid, audience text, person text, language text, template text, sessions jsonb, unsendable text,
    recipient text, address text, name text, subject text, body_text text, body_html text, invitations jsonb
)
ON CONFLICT (cause, recipient) DO NOTHING
RETURNING id

-- name: lock_waiting_notice
-- Take a notice that is to be sent; none when it was settled meanwhile.
SELECT * FROM notice WHERE id = $1 AND state = 'waiting' FOR UPDATE

-- name: mark_delivered
-- The mail server has taken the notice over.
UPDATE notice
SET state = 'delivered', attempts = attempts + 1, last_attempt_at = $2, next_attempt_at = NULL, last_error = NULL
WHERE id = $1

-- name: mark_failed
-- The notice will not be tried again, for this reason.
UPDATE notice
SET state = 'failed', attempts = attempts + 1, last_attempt_at = $2, next_attempt_at = NULL, last_error = $3
WHERE id = $1

-- name: put_off
-- The attempt failed for this reason; the next one is due later.
UPDATE notice
SET attempts = attempts + 1, last_attempt_at = $2, next_attempt_at = $4, last_error = $3
WHERE id = $1

-- name: figures
-- How many notices there are by what became of them, and the age of the oldest that is to be sent.
SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
    coalesce(extract(epoch FROM $1 - min(created_at) FILTER (WHERE state = 'waiting')), 0) AS oldest_seconds,
    count(*) FILTER (WHERE state = 'delivered') AS delivered,
    count(*) FILTER (WHERE state = 'failed') AS failed,
    count(*) FILTER (WHERE state = 'suppressed') AS suppressed
FROM notice

-- name: first_failure
-- The earliest last attempt, of the notices that wait for another one, at which the mail server itself failed.
SELECT min(last_attempt_at) FROM notice
WHERE state = 'waiting' AND attempts > 0 AND last_error NOT LIKE 'the mail server put off %'
