CREATE TABLE t(code TEXT NOT NULL UNIQUE, v INT);
INSERT INTO t VALUES ('a', 1), ('b', 2), ('c', 3);
