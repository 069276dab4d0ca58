CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN feeling AS mood;
CREATE TYPE day AS (morning mood, evening feeling);
CREATE TABLE t(id INT PRIMARY KEY, f feeling, d day, a mood[], other TEXT);
INSERT INTO t VALUES (1, 'sad', '(ok,sad)', '{sad}', 'o'), (2, 'ok', NULL, '{}', 'o');
