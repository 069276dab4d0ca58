CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, bio TEXT);
INSERT INTO users VALUES (1, 'ann', 'x'), (2, 'bob', NULL), (3, 'cy', 'z');
