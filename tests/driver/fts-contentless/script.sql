INSERT INTO f(f, rowid, x) VALUES('delete', 1, 'a');
INSERT INTO f(rowid, x) VALUES(3, 'c');
