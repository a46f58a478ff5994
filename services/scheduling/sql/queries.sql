-- name: client_of_key
-- Who has a key in force of that prefix and digest; `visits` keeps the keys and lets this service ask no more.
SELECT client_id, role FROM visits.client_of_key($1, $2)

-- name: lock_centre
-- Have one process at a time compare the master data with the newest revision; readers go on.
LOCK TABLE centre IN SHARE ROW EXCLUSIVE MODE

-- name: newest_centre
-- The master data that were loaded last.
SELECT revision, content_hash FROM centre ORDER BY revision DESC LIMIT 1

-- name: current_centre
-- The master data that hold.
SELECT master_data FROM centre ORDER BY revision DESC LIMIT 1

-- name: add_centre
-- Keep a new revision of the master data.
INSERT INTO centre (revision, content_hash, master_data, loaded_at) VALUES ($1, $2, $3, $4)

-- name: drop_superseded_centres
-- Of superseded master data, which name people, keep the number and the hash only.
UPDATE centre SET master_data = NULL WHERE revision < $1 AND master_data IS NOT NULL

-- name: want_visit
-- A request was approved: what is to be planned. A known revision changes nothing, unless no programme was
-- possible and the visit was approved again from the waiting list. The persons of a held programme stay known.
INSERT INTO visit (id, reference, country, ministry, revision, latest_revision, state, needs, people, changed_at)
VALUES ($1, $2, $3, $4, $5, $5, 'wanted', $6, $7, $8)
ON CONFLICT (id) DO UPDATE
SET reference = excluded.reference, country = excluded.country, ministry = excluded.ministry,
    revision = excluded.revision, latest_revision = excluded.revision, state = 'wanted',
    needs = excluded.needs, people = visit.people || excluded.people, changed_at = excluded.changed_at
WHERE visit.latest_revision <= excluded.revision
    AND (visit.revision < excluded.revision OR visit.state = 'infeasible')
RETURNING id

-- name: note_amendment
-- An amendment waits for approval: the programme that is held stays as it is, but whom to write to changes at once.
UPDATE visit
SET latest_revision = $2, ministry = $3, people = people || $4::jsonb, changed_at = $5
WHERE id = $1 AND latest_revision <= $2

-- name: take_amendment
-- An amendment that needs no approval holds at once.
UPDATE visit
SET revision = $2, latest_revision = $2, needs = $3, people = people || $4::jsonb, changed_at = $5,
    ministry = $6
WHERE id = $1 AND revision < $2 AND latest_revision <= $2

-- name: read_visit
-- One visit as it stands.
SELECT * FROM visit WHERE id = $1

-- name: lock_visit
-- One visit as it stands, kept from change by others until this transaction ends.
SELECT * FROM visit WHERE id = $1 FOR UPDATE

-- name: set_outcome
-- What became of a visit: its state, the programme that is held for it, and who has a part in that.
UPDATE visit
SET state = $2, release = $3, slots = $4, people = people || jsonb_build_object('persons', $5::jsonb),
    changed_at = $6
WHERE id = $1

-- name: busy
-- When people and venues are taken by other visits within a span of time.
SELECT resource, lower(during) AS starts, upper(during) AS ends
FROM booking
WHERE visit_id <> $1 AND during && tstzrange($2, $3)
ORDER BY resource, starts

-- name: lock_bookings
-- Have planners write their bookings one after the other: two that write at once could deadlock on the exclusion.
SELECT pg_advisory_xact_lock('booking'::regclass::oid::bigint)

-- name: free_bookings
-- Give back all that a visit holds.
DELETE FROM booking WHERE visit_id = $1

-- name: add_booking
-- Hold a resource; another visit's booking of it at the same time makes this fail.
INSERT INTO booking (visit_id, release, slot_key, resource, during) VALUES ($1, $2, $3, $4, tstzrange($5, $6))
