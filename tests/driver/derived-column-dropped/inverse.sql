ALTER TABLE t ADD COLUMN slug TEXT;
UPDATE t SET slug = lower(title);
