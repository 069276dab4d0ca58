CREATE VIRTUAL TABLE f USING fts5(x);
INSERT INTO f(rowid, x) VALUES (3, 'a'), (4, 'b');
