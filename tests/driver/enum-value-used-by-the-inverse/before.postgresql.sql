CREATE TYPE mood AS ENUM ('sad');
CREATE TABLE t(id INT PRIMARY KEY, m mood);
INSERT INTO t VALUES (1, 'sad'), (2, 'sad');
