CREATE VIRTUAL TABLE f USING fts4(x, content='');
INSERT INTO f(docid, x) VALUES(1,'a'),(2,'b');
CREATE VIRTUAL TABLE g USING fts4(x, content='');
INSERT INTO g(docid, x) VALUES(1,'a'),(2,'b');
