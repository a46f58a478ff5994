-- name: limit_idling
-- End this transaction, and let go of its locks, when so long nothing has come from its client.
SELECT set_config('idle_in_transaction_session_timeout', $1, true)

-- name: add_to_outbox
-- Write a transaction's events in the order they were emitted; the sequence is drawn after the sort.
WITH event AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::uuid[], $8::bytea[]
    ) WITH ORDINALITY AS event (slot, id, topic, key, shard, type, correlation, payload, place)
    ORDER BY place
), numbered AS MATERIALIZED (
    SELECT nextval('outbox_seq') AS seq, event.* FROM event
), waiting AS (
    INSERT INTO unpublished (seq, slot, id, shard) SELECT seq, slot, id, shard FROM numbered
)
INSERT INTO outbox (slot, id, seq, topic, key, shard, type, correlation, payload)
SELECT slot, id, seq, topic, key, shard, type, correlation, payload FROM numbered

-- name: unpublished
-- The next events to publish; whatever is unpublished counts, also a lower sequence that committed late.
-- One look into the outbox for each, so that the plan does not depend on how much the outbox keeps.
SELECT waiting.seq, event.id, event.topic, event.key, event.type, event.correlation, event.payload
FROM (
    SELECT seq, slot, id FROM unpublished WHERE shard = ANY ($2::smallint[]) ORDER BY seq LIMIT $1
) AS waiting
CROSS JOIN LATERAL (
    SELECT * FROM outbox WHERE outbox.slot = waiting.slot AND outbox.id = waiting.id OFFSET 0
) AS event
ORDER BY waiting.seq

-- name: mark_published
-- Forget that rows wait: the broker has acknowledged them. A relay that lost their shard meanwhile forgets
-- nothing: the one that has it now publishes them.
DELETE FROM unpublished
USING relay_shard
WHERE unpublished.seq = ANY ($1::bigint[])
    AND relay_shard.shard = unpublished.shard AND relay_shard.relay = $2

-- name: republish
-- Have the relays publish again what a lost broker may be missing.
INSERT INTO unpublished (seq, slot, id, shard)
SELECT seq, slot, id, shard FROM outbox WHERE recorded_at >= $1 ORDER BY seq
ON CONFLICT (seq) DO NOTHING

-- name: renew_relay
-- Say that a relay lives.
INSERT INTO relay (id, until) VALUES ($1, clock_timestamp() + $2)
ON CONFLICT (id) DO UPDATE SET until = excluded.until

-- name: bury_relays
-- Forget relays that have been silent for long; one that is just being renewed is left alone.
DELETE FROM relay WHERE id = ANY (ARRAY(
    SELECT id FROM relay WHERE until < clock_timestamp() - interval '1 minute' FOR UPDATE SKIP LOCKED))

-- name: renew_shards
-- Keep the shards that a relay holds, even late, as long as no other one has taken them.
UPDATE relay_shard SET until = clock_timestamp() + $2 WHERE relay = $1

-- name: release_shards
-- Give up all shards but so many: others live who should have their part.
UPDATE relay_shard SET relay = NULL, until = '-infinity'
WHERE relay = $1 AND shard NOT IN (SELECT shard FROM relay_shard WHERE relay = $1 ORDER BY shard LIMIT $2)

-- name: take_shards
-- Take shards that nobody holds or whose holder fell silent, up to a fair part.
UPDATE relay_shard SET relay = $1, until = clock_timestamp() + $2
WHERE shard = ANY (ARRAY(
    SELECT shard FROM relay_shard
    WHERE relay IS DISTINCT FROM $1 AND until < clock_timestamp()
    ORDER BY shard
    LIMIT greatest($3 - (SELECT count(*) FROM relay_shard WHERE relay = $1), 0)
    FOR UPDATE SKIP LOCKED))

-- name: held_shards
-- The shards that a relay holds.
SELECT shard FROM relay_shard WHERE relay = $1

-- name: living_relays
-- How many relays share the work.
SELECT count(*) FROM relay WHERE until >= clock_timestamp()

-- name: end_relay
-- Let others take over at once what a relay held.
WITH gone AS (DELETE FROM relay WHERE id = $1)
UPDATE relay_shard SET relay = NULL, until = '-infinity' WHERE relay = $1

-- name: receive
-- Note events as handled and say which of them are new; a concurrent handler of the same event waits here.
INSERT INTO inbox (slot, id)
SELECT DISTINCT slot, id FROM unnest($1::smallint[], $2::uuid[]) AS event (slot, id) ORDER BY slot, id
ON CONFLICT (slot, id) DO NOTHING
RETURNING id

-- name: received
-- Whether an event was handled before.
SELECT EXISTS (SELECT FROM inbox WHERE slot = $1 AND id = $2)

-- name: look
-- A first, cheap look before records are handled: which keys have a parked message, since when the inbox
-- remembers what it handled, and what time it is for all processes.
SELECT
    ARRAY(SELECT DISTINCT key FROM parked WHERE state = 'parked' AND key = ANY ($1::text[])) AS held,
    (SELECT begins FROM inbox_memory) AS memory_begins,
    now() AS now

-- name: forget_before
-- Remember that the inbox has forgotten what was emitted before.
UPDATE inbox_memory SET begins = greatest(begins, $1)

-- name: share_parked
-- Keep redrives out while records are handled; taken before `held_keys` looks, so that it sees the last redrive.
-- A consumer that is stopped in mid-transaction must not keep for long the rows that its successor waits for.
SELECT pg_advisory_xact_lock_shared('parked'::regclass::oid::bigint),
    set_config('idle_in_transaction_session_timeout', '20s', true)

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

-- name: set_timer_not_before
-- Set a timer, or see that one that is set already does not fire before a time.
INSERT INTO timer (name, key, due_at, correlation, causation) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name, key) DO UPDATE SET due_at = greatest(timer.due_at, excluded.due_at)

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

-- name: sweep_timeless
-- Forget what was received without a time in its id, few at a time.
DELETE FROM inbox WHERE slot = $1 AND id = ANY (ARRAY(
    SELECT id FROM inbox WHERE slot = $1 AND received_at < $2 LIMIT 5000))

-- name: waits
-- Whether a partition of the outbox holds something unpublished, however old.
SELECT EXISTS (SELECT FROM unpublished WHERE slot = $1)

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

-- name: parked_groups
-- What failed, by the kind of failure, and how much is held behind each kind.
WITH failed AS (
    SELECT * FROM parked WHERE state = 'parked' AND cause NOT LIKE $1
), waiting AS (
    SELECT key, count(*) AS records FROM parked WHERE state = 'parked' AND cause LIKE $1 GROUP BY key
)
SELECT fingerprint, min(cause) AS cause, array_agg(DISTINCT coalesce(type, '?')) AS types,
    count(*) AS failed, count(DISTINCT key) AS keys,
    (SELECT coalesce(sum(records), 0)::bigint FROM waiting WHERE key = ANY (array_agg(failed.key))) AS held,
    min(parked_at) AS first, max(parked_at) AS last
FROM failed
GROUP BY fingerprint
ORDER BY count(*) DESC, fingerprint

-- name: parked_keys
-- The keys that have a parked record which matches the filters given.
SELECT DISTINCT key FROM parked
WHERE state = 'parked'
    AND ($1::text IS NULL OR key = $1)
    AND ($2::text IS NULL OR fingerprint = $2)
    AND ($3::text IS NULL OR type = $3)
    AND ($4::uuid IS NULL OR id = $4)

-- name: count_parked
-- How many records of some keys are parked.
SELECT count(*) FROM parked WHERE state = 'parked' AND key = ANY ($1::text[])

-- name: redrives_under_way
-- Keys whose redrive has been asked for and has not come to its end.
SELECT key FROM timer WHERE name = 'redrive' AND key = ANY ($1::text[])

-- name: backlog
-- What waits in this service.
SELECT
    (SELECT count(*) FROM unpublished) AS unpublished,
    (SELECT coalesce(extract(epoch FROM now() - min(outbox.recorded_at)), 0)
     FROM (SELECT slot, id FROM unpublished ORDER BY seq LIMIT 1) AS first
     JOIN outbox USING (slot, id)) AS oldest_unpublished_seconds,
    (SELECT count(*) FROM parked WHERE state = 'parked') AS parked,
    (SELECT count(*) FROM timer WHERE last_error IS NOT NULL) AS failing_timers
