UPDATE t SET a = 2;
DROP TABLE missing;
