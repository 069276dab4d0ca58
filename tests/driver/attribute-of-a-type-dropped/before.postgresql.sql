CREATE TYPE size AS (a INT, b TEXT);
CREATE TYPE parcel AS (s size, n INT);
CREATE TABLE t(id INT PRIMARY KEY, c size, many size[], p parcel, other TEXT);
CREATE TABLE typed OF size (a PRIMARY KEY);
INSERT INTO t VALUES (1, '(1,x)', '{"(2,y)"}', '("(3,z)",1)', 'o'), (2, NULL, NULL, NULL, 'o');
INSERT INTO typed VALUES (1, 'b');
