CREATE TABLE orders(id INTEGER PRIMARY KEY, state TEXT);
CREATE TABLE archive(id INTEGER PRIMARY KEY, state TEXT);
INSERT INTO orders VALUES (1, 'done'), (2, 'open'), (3, 'done');
INSERT INTO archive VALUES (7, 'done');
