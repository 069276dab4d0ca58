CREATE TABLE users(id integer PRIMARY KEY, name text, note text);
CREATE TABLE "Users"(id integer PRIMARY KEY, name text, "Name" text);
INSERT INTO users VALUES (1, 'a', 'b');
INSERT INTO "Users" VALUES (1, 'c', 'd');
