CREATE SCHEMA audit;
CREATE TABLE audit.log(id INT PRIMARY KEY, what TEXT);
INSERT INTO audit.log VALUES (1, 'x'), (2, 'y');
