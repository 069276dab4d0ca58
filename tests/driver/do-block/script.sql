DO $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT id FROM t WHERE a = 2 LOOP
        UPDATE t SET a = 0 WHERE id = r.id;
    END LOOP;
END $$;
