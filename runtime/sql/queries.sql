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
-- Have the relay publish again what a lost broker may be missing: what inboxes are sure to remember.
UPDATE outbox SET published_at = NULL WHERE published_at IS NOT NULL AND recorded_at >= $1

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

-- name: sweep_parked
-- Forget what settled records held, personal data included, once they are past their retention.
UPDATE parked SET value = NULL, headers = '[]' WHERE position = ANY (ARRAY(
    SELECT position FROM parked WHERE settled_at < $1 AND value IS NOT NULL LIMIT 5000))

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

-- name: claim_due_timer
-- Claim one of the timers due longest that no other worker has claimed. The claim is an advisory lock and not
-- the row's: handlers lock their subject before they set timers, and must not wait for a timer in hand.
WITH due AS MATERIALIZED (
    SELECT name, key FROM timer
    WHERE due_at <= $1 AND name = ANY ($2::text[])
    ORDER BY due_at LIMIT 40
)
SELECT name, key FROM due
WHERE pg_try_advisory_xact_lock(hashtextextended(current_schema() || ' ' || name || ' ' || key, 0))
LIMIT 1

-- name: claimed_timer
-- The claimed timer as it stands now; another worker may have finished it before the claim.
SELECT name, key, due_at, correlation, causation, attempts
FROM timer WHERE name = $1 AND key = $2 AND due_at <= $3

-- name: finish_timer
-- Drop a timer that was handled, unless it was set anew meanwhile.
DELETE FROM timer WHERE name = $1 AND key = $2 AND due_at = $3

-- name: next_due
-- When the next timer is due.
SELECT min(due_at) FROM timer WHERE name = ANY ($1::text[])

-- name: put_off_timer
-- Try a failed timer again later.
UPDATE timer SET due_at = $3, attempts = attempts + 1, last_error = $4
WHERE name = $1 AND key = $2 AND due_at <= $5

-- name: sweep_outbox
-- Drop published events past their retention, few at a time so that nothing waits for it. The age counts
-- from the recording: publishing again must not make an event younger than the inboxes' memory of it.
DELETE FROM outbox WHERE seq = ANY (ARRAY(
    SELECT seq FROM outbox WHERE recorded_at < $1 AND published_at IS NOT NULL LIMIT 5000))

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

-- name: parked_record
-- One parked record with its headers and body.
SELECT * FROM parked WHERE id = $1

-- name: parked_heads
-- The first parked record of each key, with how many are held behind it.
SELECT DISTINCT ON (key) position, id, topic, partition, record_offset, key, type, cause, fingerprint, state,
    attempts, parked_at, settled_at, reason, count(*) OVER (PARTITION BY key) - 1 AS behind
FROM parked
WHERE state = 'parked'
    AND ($1::text IS NULL OR key = $1)
    AND ($2::text IS NULL OR fingerprint = $2)
ORDER BY key, position

-- name: parked_keys
-- The keys that have a parked record which matches the filters given.
SELECT DISTINCT key FROM parked
WHERE state = 'parked'
    AND ($1::text IS NULL OR key = $1)
    AND ($2::text IS NULL OR fingerprint = $2)
    AND ($3::uuid IS NULL OR id = $3)

-- name: redrives_under_way
-- Keys whose redrive has been asked for and has not come to its end.
SELECT key FROM timer WHERE name = 'redrive' AND key = ANY ($1::text[])

-- name: backlog
-- What waits in this service.
SELECT
    (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS unpublished,
    (SELECT coalesce(extract(epoch FROM now() - min(recorded_at)), 0)
     FROM outbox WHERE published_at IS NULL) AS oldest_unpublished_seconds,
    (SELECT count(*) FROM parked WHERE state = 'parked') AS parked,
    (SELECT count(*) FROM timer WHERE last_error IS NOT NULL) AS failing_timers
