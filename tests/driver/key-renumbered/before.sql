CREATE TABLE t(id INTEGER PRIMARY KEY, a);
INSERT INTO t VALUES (1, 'x'), (5, 'y'), (9, 'z');
