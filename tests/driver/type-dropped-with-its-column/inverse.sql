CREATE TYPE mood AS ENUM ('sad', 'ok');
ALTER TABLE t ADD COLUMN m mood DEFAULT 'ok';
