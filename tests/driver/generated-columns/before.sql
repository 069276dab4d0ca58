CREATE TABLE t(a, v AS (a * 2), b, s AS (a + b) STORED);
INSERT INTO t VALUES(1,2);
