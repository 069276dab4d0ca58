INSERT INTO f(f, rowid, x) VALUES('delete', 1, 'a');
INSERT INTO f(f) VALUES('delete-all');
DROP TABLE v;
DROP TABLE f;
CREATE VIRTUAL TABLE f USING fts5(x, content='t');
CREATE VIRTUAL TABLE v USING fts5vocab(f, row);
