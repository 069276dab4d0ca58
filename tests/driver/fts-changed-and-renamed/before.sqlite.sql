CREATE VIRTUAL TABLE f USING fts5(x, y);
INSERT INTO f VALUES('a',1),('b',2),('c',3),('d',4),('e',5);
