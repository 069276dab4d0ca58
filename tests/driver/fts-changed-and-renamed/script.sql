INSERT INTO f VALUES('new',0);
DELETE FROM f WHERE x IN ('a', 'new');
UPDATE f SET y = 2 WHERE x = 'b';
UPDATE f SET y = 9 WHERE x = 'c';
INSERT OR REPLACE INTO f(rowid, x, y) VALUES(4, 'D', 4);
INSERT INTO f(f) VALUES('optimize');
ALTER TABLE f RENAME TO g;
