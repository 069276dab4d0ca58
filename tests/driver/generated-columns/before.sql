CREATE TABLE t(a INT, v AS (a * 2), b INT, s AS (a + b) STORED);
INSERT INTO t VALUES(1,2);
