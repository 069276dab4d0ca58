UPDATE t SET m = 'sad' WHERE m = 'ok';
ALTER TYPE mood RENAME TO moods;
CREATE TYPE mood AS ENUM ('sad');
ALTER TABLE t ALTER COLUMN m TYPE mood USING m::text::mood;
DROP TYPE moods;
