CREATE TABLE t(x);
INSERT INTO t VALUES('a'),('b');
CREATE VIRTUAL TABLE f USING fts5(x, content='t');
INSERT INTO f(f) VALUES('rebuild');
CREATE VIRTUAL TABLE v USING fts5vocab(f, row);
