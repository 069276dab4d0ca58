CREATE TABLE t(a INT, b TEXT);
INSERT INTO t VALUES (1, 'x'), (2, NULL), (3, 'z');
