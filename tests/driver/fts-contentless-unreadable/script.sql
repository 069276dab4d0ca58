INSERT INTO f(docid, x) VALUES(3, 'c');
DROP TABLE g;
CREATE VIRTUAL TABLE g USING fts4(x, content='');
INSERT INTO g(docid, x) VALUES(1, 'a');
