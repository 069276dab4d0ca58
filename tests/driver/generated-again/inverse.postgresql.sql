ALTER TABLE t ADD COLUMN token TEXT;
ALTER TABLE t ADD COLUMN seen TEXT;
ALTER TABLE t ADD COLUMN name TEXT;
UPDATE t SET token = gen_random_uuid();
UPDATE t SET seen = clock_timestamp();
