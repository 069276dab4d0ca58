CREATE TABLE "a.b"(id INTEGER PRIMARY KEY, "c.d" TEXT, "say ""hi""" TEXT);
CREATE TABLE a(id INTEGER PRIMARY KEY, "b.c" TEXT, rowid TEXT);
INSERT INTO "a.b" VALUES (1, 'x', 'y');
INSERT INTO a VALUES (1, 'x', 'y');
