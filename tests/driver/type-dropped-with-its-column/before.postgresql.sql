CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE t(id INT PRIMARY KEY, m mood DEFAULT 'ok');
INSERT INTO t VALUES (1, 'sad'), (2, 'ok'), (3, 'ok');
