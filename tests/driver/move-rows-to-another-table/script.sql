INSERT INTO archive SELECT * FROM orders WHERE state = 'done';
DELETE FROM orders WHERE state = 'done';
