CREATE VIRTUAL TABLE f USING fts5(x, content='');
INSERT INTO f(rowid, x) VALUES(1,'a'),(2,'b');
