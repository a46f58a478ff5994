-- name: add_to_outbox
-- Write a transaction's events in the order they were emitted; the sequence is drawn after the sort.
INSERT INTO outbox (id, topic, key, type, correlation, payload)
SELECT id, topic, key, type, correlation, payload
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::bytea[])
    WITH ORDINALITY AS event (id, topic, key, type, correlation, payload, place)
ORDER BY place

-- name: unpublished
-- The next events to publish; whatever is unpublished counts, also a lower sequence that committed late.
SELECT seq, id, topic, key, type, correlation, payload
FROM outbox
WHERE published_at IS NULL
ORDER BY seq
LIMIT $1

-- name: mark_published
-- Remember that the broker has acknowledged these rows.
UPDATE outbox SET published_at = now() WHERE seq = ANY ($1::bigint[])

-- name: republish
-- Have the relay publish again what a lost broker may be missing.
UPDATE outbox SET published_at = NULL WHERE published_at IS NOT NULL

-- name: receive
-- Note events as handled and say which of them are new; a concurrent handler of the same event waits here.
INSERT INTO inbox (id)
SELECT DISTINCT id FROM unnest($1::uuid[]) AS event (id) ORDER BY id
ON CONFLICT (id) DO NOTHING
RETURNING id

-- name: share_parked
-- Keep redrives out while records are handled; taken before `held_keys` looks, so that it sees the last redrive.
SELECT pg_advisory_xact_lock_shared('parked'::regclass::oid::bigint)

-- name: held_keys
-- Keys with a parked message: what follows under such a key is parked behind it.
SELECT DISTINCT key FROM parked WHERE state = 'parked' AND key = ANY ($1::text[])

-- name: lock_parked
-- Keep consumption out while parked messages are settled, so that none slips in behind the last one.
SELECT pg_advisory_xact_lock('parked'::regclass::oid::bigint)

-- name: park
-- Set a record aside; one that is delivered again is parked once.
INSERT INTO parked (id, topic, partition, record_offset, key, type, headers, value, cause, fingerprint, attempts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (id) DO NOTHING
RETURNING position

-- name: first_parked
-- The oldest parked record of a key, which has to be settled before the others.
SELECT * FROM parked WHERE key = $1 AND state = 'parked' ORDER BY position LIMIT 1 FOR UPDATE

-- name: settle_parked
-- Close a parked record as redriven or, with a reason, as discarded.
UPDATE parked SET state = $2, reason = $3, settled_at = now() WHERE position = $1 AND state = 'parked'

-- name: note_failed_redrive
-- Keep why a redrive failed; the record stays parked.
UPDATE parked SET attempts = attempts + 1, cause = $2, fingerprint = $3 WHERE position = $1

-- name: set_timer
-- Set or move a timer: one for each name and key.
INSERT INTO timer (name, key, due_at, correlation, causation) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name, key) DO UPDATE
SET due_at = excluded.due_at, correlation = excluded.correlation, causation = excluded.causation,
    attempts = 0, last_error = NULL

-- name: set_first_timer
-- Set a timer unless it is set already.
INSERT INTO timer (name, key, due_at, correlation, causation) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name, key) DO NOTHING

-- name: drop_timer
-- Forget a timer.
DELETE FROM timer WHERE name = $1 AND key = $2

-- name: take_due_timer
-- Take the timer that has been due longest and that no other worker has in hand; gone if this transaction commits.
DELETE FROM timer
WHERE (name, key) = (
    SELECT name, key FROM timer
    WHERE due_at <= $1 AND name = ANY ($2::text[])
    ORDER BY due_at LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING name, key, due_at, correlation, causation, attempts

-- name: next_due
-- When the next timer is due.
SELECT min(due_at) FROM timer WHERE name = ANY ($1::text[])

-- name: put_off_timer
-- Try a failed timer again later.
UPDATE timer SET due_at = $3, attempts = attempts + 1, last_error = $4
WHERE name = $1 AND key = $2 AND due_at <= $5

-- name: sweep_outbox
-- Drop published events past their retention, few at a time so that nothing waits for it.
DELETE FROM outbox WHERE seq = ANY (ARRAY(
    SELECT seq FROM outbox WHERE published_at < $1 LIMIT 5000))

-- name: sweep_inbox
-- Forget events received before the deduplication window, few at a time.
DELETE FROM inbox WHERE id = ANY (ARRAY(
    SELECT id FROM inbox WHERE received_at < $1 LIMIT 5000))

-- name: list_parked
-- Parked records that match the filters given, the oldest first; bodies are left out.
SELECT position, id, topic, partition, record_offset, key, type, cause, fingerprint, state, attempts,
    parked_at, settled_at, reason
FROM parked
WHERE ($1::text IS NULL OR state = $1)
    AND ($2::text IS NULL OR key = $2)
    AND ($3::text IS NULL OR fingerprint = $3)
    AND ($4::uuid IS NULL OR id = $4)
ORDER BY position
LIMIT $5

-- name: parked_record
-- One parked record with its headers and body.
SELECT * FROM parked WHERE id = $1

-- name: redrives_under_way
-- Keys whose redrive has been asked for and has not come to its end.
SELECT key FROM timer WHERE name = 'redrive' AND key = ANY ($1::text[])

-- name: outbox_backlog
-- How many events wait to be published, and for how long the first one has.
SELECT count(*) AS waiting, extract(epoch FROM now() - min(recorded_at)) AS seconds
FROM outbox WHERE published_at IS NULL
