UPDATE t SET k = 'a' WHERE id = 1;
