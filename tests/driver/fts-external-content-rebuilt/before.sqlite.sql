CREATE TABLE t(id INTEGER PRIMARY KEY, x);
INSERT INTO t VALUES (1, 'a'), (2, 'b');
CREATE VIRTUAL TABLE f USING fts5(x, content='t', content_rowid='id');
INSERT INTO f(f) VALUES ('rebuild');
