CREATE VIRTUAL TABLE f USING fts5(x, content='t', content_rowid='id');
INSERT INTO f(f) VALUES ('rebuild');
