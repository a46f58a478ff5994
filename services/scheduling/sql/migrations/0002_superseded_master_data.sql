-- Master data name people: of a superseded revision only its number and hash are kept.

ALTER TABLE centre ALTER COLUMN master_data DROP NOT NULL;

UPDATE centre SET master_data = NULL WHERE revision < (SELECT max(revision) FROM centre);

COMMENT ON COLUMN centre.master_data IS 'Personal data; NULL once a newer revision is loaded';
COMMENT ON COLUMN visit.people IS
    'Personal data, nowhere else in this row: focal points, guests, and persons of the programme that is held';
