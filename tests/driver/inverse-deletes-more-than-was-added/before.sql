CREATE TABLE t(id INTEGER PRIMARY KEY, kind);
INSERT INTO t VALUES (1, 'seed'), (2, 'own');
