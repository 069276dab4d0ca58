ALTER TABLE t ADD COLUMN token TEXT;
ALTER TABLE t ADD COLUMN seen TEXT;
ALTER TABLE t ADD COLUMN name TEXT;
UPDATE t SET token = hex(randomblob(4));
UPDATE t SET seen = datetime('now');
