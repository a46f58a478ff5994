-- A programme stays with its visit while an amendment of the request waits for a decision, and until a new one is planned.
ALTER TABLE visit
    DROP CONSTRAINT visit_check1,
    ADD CONSTRAINT programme_where_there_is_one CHECK (
        programme IS NOT NULL OR state NOT IN ('proposed', 'confirmed', 'in_progress', 'completed', 'reported')),
    ADD CONSTRAINT no_programme_elsewhere CHECK (
        programme IS NULL OR state NOT IN ('waitlisted', 'declined', 'withdrawn', 'cancelled'));
