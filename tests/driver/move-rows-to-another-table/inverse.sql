INSERT INTO orders SELECT * FROM archive WHERE state = 'done' AND id < 4;
DELETE FROM archive WHERE id < 4;
