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
    needs = excluded.needs, people = visit.people || excluded.people, changed_at = excluded.changed_at,
    replan_because = NULL
WHERE visit.latest_revision <= excluded.revision
    AND (visit.revision < excluded.revision OR visit.state = 'infeasible')
RETURNING id

-- name: note_amendment
-- An amendment waits for approval: the programme that is held stays as it is, but whom to write to changes at once.
UPDATE visit
SET latest_revision = $2, ministry = $3, people = people || $4::jsonb, changed_at = $5
WHERE id = $1 AND latest_revision <= $2

-- name: take_amendment
-- An amendment that needs no approval holds at once; a waiting visit is tried again with it.
UPDATE visit
SET revision = $2, latest_revision = $2, needs = $3, people = people || $4::jsonb, changed_at = $5,
    ministry = $6, tried = least(tried, (SELECT number - 1 FROM giving_back))
WHERE id = $1 AND revision < $2 AND latest_revision <= $2
RETURNING *

-- name: read_visit
-- One visit as it stands.
SELECT * FROM visit WHERE id = $1

-- name: lock_visit
-- One visit as it stands, kept from change by others until this transaction ends.
SELECT * FROM visit WHERE id = $1 FOR UPDATE

-- name: set_outcome
-- What became of a visit: its state, the programme that is held for it, who has a part in that, and which of its
-- slots are pinned. A visit that finds no programme keeps its place on the waiting list.
UPDATE visit
SET state = $2, release = $3, slots = $4, people = people || jsonb_build_object('persons', $5::jsonb),
    changed_at = $6, pinned = $7, replan_because = NULL,
    waiting_since = CASE WHEN $2 = 'infeasible' THEN coalesce(waiting_since, $6) END
WHERE id = $1

-- name: make_firm
-- The ministry accepted the programme that is held.
UPDATE visit
SET state = 'released', release = $2, people = people || jsonb_build_object('persons', $3::jsonb), changed_at = $4
WHERE id = $1

-- name: want_replan
-- Have the held programme planned anew.
UPDATE visit SET replan_because = $2, changed_at = $3 WHERE id = $1

-- name: keep_programme
-- The held programme can stay as it is.
UPDATE visit SET replan_because = NULL, pinned = $2 WHERE id = $1

-- name: want_again
-- Have a visit on the waiting list planned as if it had just been approved.
UPDATE visit SET state = 'wanted', changed_at = $2 WHERE id = $1

-- name: set_pinned
-- Which slots an officer wants kept.
UPDATE visit SET pinned = $2, changed_at = $3 WHERE id = $1

-- name: holding
-- Visits whose held programme has something still to come.
SELECT DISTINCT visit_id FROM booking WHERE during && tstzrange($1, NULL)

-- name: busy
-- When people and venues are taken by other visits within a span of time, and where, or blocked (then nowhere).
SELECT resource, lower(during) AS starts, upper(during) AS ends, venue
FROM booking
WHERE visit_id <> $1 AND during && tstzrange($2, $3)
UNION ALL
SELECT resource, lower(during), upper(during), NULL FROM block WHERE during && tstzrange($2, $3)
ORDER BY resource, starts, ends

-- name: lock_bookings
-- Have planners write their bookings one after the other: two that write at once could deadlock on the exclusion.
SELECT pg_advisory_xact_lock('booking'::regclass::oid::bigint)

-- name: free_bookings
-- Give back all that a visit holds.
DELETE FROM booking WHERE visit_id = $1

-- name: add_booking
-- Hold a resource; another visit's booking of it at the same time makes this fail.
INSERT INTO booking (visit_id, release, slot_key, resource, during, venue)
VALUES ($1, $2, $3, $4, tstzrange($5, $6), $7)

-- name: add_release
-- Keep a programme as it is told.
INSERT INTO release (visit_id, release, revision, kind, slots, score, cause, made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: releases
-- Every release of a visit's programme, in order.
SELECT * FROM release WHERE visit_id = $1 ORDER BY release

-- name: add_block
-- Take a resource out of use for a span of time.
INSERT INTO block (id, resource, during, reason, added_by, added_at) VALUES ($1, $2, tstzrange($3, $4), $5, $6, $7)

-- name: drop_block
-- Have a resource in use again.
DELETE FROM block WHERE id = $1 RETURNING *, lower(during) AS starts, upper(during) AS ends

-- name: drop_past_blocks
-- Forget what was out of use: the reasons may be people's illnesses.
DELETE FROM block WHERE upper(during) < $1

-- name: blocks
-- What is out of use from an instant on.
SELECT *, lower(during) AS starts, upper(during) AS ends FROM block
WHERE during && tstzrange($1, NULL) ORDER BY during, resource, id

-- name: hit_by
-- The visits that hold a resource, or anything at all, within a span of time.
SELECT DISTINCT visit.id, visit.reference
FROM visit JOIN booking ON booking.visit_id = visit.id
WHERE (booking.resource = $1 OR $1 = 'centre') AND booking.during && tstzrange($2, $3)
ORDER BY visit.reference

-- name: give_back
-- Something was given back that a waiting visit might need. Changed only just before a commit: all wait for this row.
UPDATE giving_back SET number = number + 1

-- name: given_back
-- How often something was given back.
SELECT number FROM giving_back

-- name: waiting
-- Who waits for a programme, unless an amendment is under way.
SELECT id, reference, country, needs, waiting_since, tried FROM visit
WHERE state = 'infeasible' AND revision = latest_revision

-- name: set_tried
-- Up to which giving back a waiting visit was tried in vain.
UPDATE visit SET tried = $2 WHERE id = $1

-- name: held_by_country
-- How many programmes that begin within a span of time each country holds.
SELECT country, count(*) AS programmes FROM visit
WHERE jsonb_array_length(slots) >= 1 AND (slots -> 0 ->> 'starts')::timestamptz >= $1
    AND (slots -> 0 ->> 'starts')::timestamptz < $2
GROUP BY country

-- name: visit_of_reference
-- The id of a visit by its reference.
SELECT id FROM visit WHERE reference = $1
