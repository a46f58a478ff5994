-- name: record_event
-- Keep one event; the inbox has seen to it that it comes once, the key makes sure.
INSERT INTO event (id, type, source, subject, time, correlation, causation, data, people)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO NOTHING

-- name: tail_position
-- Where a reader starts who wants the last $1 events and then follows.
SELECT transaction, position FROM event
WHERE transaction < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY transaction DESC, position DESC
OFFSET $1 LIMIT 1

-- name: tail_events
-- Events after a position, of finished transactions only: one that drew a lower number and commits later is not skipped.
SELECT transaction, position, id, type, source, subject, time, correlation, causation, data
FROM event
WHERE (transaction, position) > ($1::xid8, $2::bigint)
    AND transaction < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY transaction, position
LIMIT $3

-- name: search_events
-- Events that satisfy every filter that is given, the newest first; personal data is not searched.
SELECT id, type, source, subject, time, correlation, causation, data
FROM event
WHERE ($1::text IS NULL OR data::text ILIKE $1)
    AND ($2::text IS NULL OR type LIKE $2)
    AND ($3::text IS NULL OR subject = $3)
    AND ($4::timestamptz IS NULL OR time >= $4)
    AND ($5::timestamptz IS NULL OR time < $5)
ORDER BY time DESC, position DESC
LIMIT $6

-- name: trace_subject
-- Which visit or mission a reference, a subject, an event's id or a correlation id stands for.
SELECT subject FROM event
WHERE subject = $1 OR data ->> 'reference' = $1 OR id = $2::uuid OR correlation = $2::uuid
ORDER BY (subject = $1) DESC, time
LIMIT 1

-- name: trace_events
-- The whole story of a subject, in the order in which it happened.
SELECT id, type, source, subject, time, correlation, causation, data
FROM event
WHERE subject = $1
ORDER BY time, position
