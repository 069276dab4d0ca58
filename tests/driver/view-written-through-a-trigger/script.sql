UPDATE v SET a = 'z' WHERE id = 1;
