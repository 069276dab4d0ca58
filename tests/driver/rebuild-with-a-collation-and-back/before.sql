CREATE TABLE t(id INTEGER PRIMARY KEY, mail TEXT);
INSERT INTO t(mail) VALUES ('A@b.c'), ('a@B.c');
