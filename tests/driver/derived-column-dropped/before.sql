CREATE TABLE t(id INTEGER PRIMARY KEY, title TEXT, slug TEXT);
INSERT INTO t VALUES (1, 'A', 'a'), (2, 'B', 'mine'), (3, 'C', NULL);
