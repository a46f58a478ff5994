-- name: add_client
-- Register a ministry or a member of the Centre's staff.
INSERT INTO client (id, name, country, role, created_at) VALUES ($1, $2, $3, $4, $5)

-- name: add_key
-- Keep a key's digest; the secret itself is shown once and kept nowhere.
INSERT INTO api_key (prefix, client_id, digest, created_at) VALUES ($1, $2, $3, $4)

-- name: lock_clients
-- Have clients registered one after the other, so that two of one name are not registered at a time.
SELECT pg_advisory_xact_lock('client'::regclass::oid::bigint)

-- name: namesake
-- The client of a name, whatever its letter case, in a country.
SELECT id, name, country, role FROM client WHERE lower(name) = lower($1) AND country = $2 ORDER BY created_at LIMIT 1

-- name: find_client
-- The client of an id, or of the prefix of one of its keys.
SELECT id, name, country, role FROM client
WHERE id::text = lower($1) OR id = (SELECT client_id FROM api_key WHERE prefix = $1)

-- name: key_of
-- The client of a key that is in force, with the digest to compare.
SELECT client.id, client.name, client.country, client.role, api_key.digest
FROM api_key JOIN client ON client.id = api_key.client_id
WHERE api_key.prefix = $1 AND api_key.revoked_at IS NULL

-- name: revoke_key
-- Put a key out of force, once.
UPDATE api_key SET revoked_at = $2 WHERE prefix = $1 AND revoked_at IS NULL RETURNING prefix

-- name: clients
-- All clients with their keys.
SELECT client.id, client.name, client.country, client.role, client.created_at, api_key.prefix, api_key.revoked_at
FROM client JOIN api_key ON api_key.client_id = client.id
ORDER BY client.created_at, client.id, api_key.created_at

-- name: keep_catalogue
-- Keep a catalogue unless a newer one is kept already.
INSERT INTO catalogue (revision, content) VALUES ($1, $2)
ON CONFLICT (only_row) DO UPDATE SET revision = excluded.revision, content = excluded.content
WHERE catalogue.revision < excluded.revision

-- name: catalogue
-- The newest catalogue.
SELECT content FROM catalogue

-- name: next_reference
-- Draw the number of a new visit's reference.
SELECT nextval('visit_reference')

-- name: add_visit
-- Store a new visit.
INSERT INTO visit (
    id, reference, client_id, sender_reference, state, revision, approvable, request, submitted_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
RETURNING version

-- name: add_people
-- Store the personal part of a new visit.
INSERT INTO visit_people (visit_id, people) VALUES ($1, $2)

-- name: lock_sender_reference
-- Have requests under one reference of a client submitted one after the other: a number is drawn for the first only.
SELECT pg_advisory_xact_lock(hashtextextended('visit ' || $1::uuid || ' ' || $2, 0))

-- name: visit_by_sender_reference
-- The visit that a client has submitted under this reference of its own.
SELECT id, reference FROM visit WHERE client_id = $1 AND sender_reference = $2

-- name: visit
-- One visit with its people and consultations; $2 limits it to a client's own, NULL does not.
SELECT visit.*, client.country, visit_people.people, visit_people.hosts, (
    SELECT coalesce(jsonb_agg(to_jsonb(consultation) ORDER BY consultation.number), '[]')
    FROM consultation WHERE consultation.visit_id = visit.id
) AS consultations
FROM visit
JOIN client ON client.id = visit.client_id
JOIN visit_people ON visit_people.visit_id = visit.id
WHERE visit.id = $1 AND ($2::uuid IS NULL OR visit.client_id = $2)

-- name: lock_visit
-- Let one command at a time change a visit; whoever waited here reads what the one before has written.
SELECT id FROM visit WHERE id = $1 FOR UPDATE

-- name: change_visit
-- Write a visit back and raise its version.
UPDATE visit
SET state = $2, revision = $3, approvable = $4, request = $5, programme = $6, advice = $7, reason = $8,
    report_due = $9, chase_at = $10, report = $11, updated_at = $12, version = version + 1
WHERE id = $1
RETURNING version

-- name: change_people
-- Write a visit's personal part back.
UPDATE visit_people SET people = $2, hosts = $3 WHERE visit_id = $1

-- name: write_consultation
-- Store a consultation, or how one that is stored already goes on: what was asked of whom stays.
INSERT INTO consultation (
    visit_id, number, revision, body, contact_name, contact_email, contact_language, veto, question, days, status,
    opened_at, respond_by, act_at, ended_at, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (visit_id, number) DO UPDATE
SET status = excluded.status, act_at = excluded.act_at, ended_at = excluded.ended_at, reason = excluded.reason

-- name: add_history
-- Note a command with who gave it (NULL: the system) and where it led.
INSERT INTO visit_history (visit_id, at, client_id, command, from_state, to_state, revision, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: history
-- What was done to a visit, the oldest first.
SELECT visit_history.at, client.name, client.role, visit_history.command, visit_history.from_state,
    visit_history.to_state, visit_history.revision, visit_history.reason
FROM visit_history LEFT JOIN client ON client.id = visit_history.client_id
WHERE visit_history.visit_id = $1
ORDER BY visit_history.position

-- name: visits_page
-- The newest visits before $3, of a client ($1, NULL: of all) and in a state ($2, NULL: in any), without personal data.
SELECT visit.id, visit.reference, visit.sender_reference, visit.state, visit.revision, visit.submitted_at,
    visit.updated_at, visit.request ->> 'ministry' AS ministry, visit.request ->> 'subject' AS subject, client.country
FROM visit JOIN client ON client.id = visit.client_id
WHERE ($1::uuid IS NULL OR visit.client_id = $1)
    AND ($2::text IS NULL OR visit.state = $2)
    AND ($3::uuid IS NULL OR visit.id < $3)
ORDER BY visit.id DESC
LIMIT $4

-- name: claim_key
-- Claim a key for this transaction; a concurrent request with the same key waits here for its outcome.
INSERT INTO idempotency_key (client_id, key, digest, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (client_id, key) DO NOTHING
RETURNING key

-- name: kept_answer
-- What was answered under a key.
SELECT digest, status, headers, body FROM idempotency_key WHERE client_id = $1 AND key = $2

-- name: keep_answer
-- Keep what is answered under a claimed key.
UPDATE idempotency_key SET status = $3, headers = $4, body = $5 WHERE client_id = $1 AND key = $2

-- name: forget_answers
-- Drop old answers.
DELETE FROM idempotency_key WHERE created_at < $1
