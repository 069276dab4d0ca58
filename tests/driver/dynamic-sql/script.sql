INSERT INTO u VALUES (2);
DO $$
BEGIN
    EXECUTE format('UPDATE %I SET a = 0 WHERE id = 1', 't');
END $$;
