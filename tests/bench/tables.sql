-- 1,000 tables as applications have them, with what belongs to them.
DO $$
DECLARE n integer;
BEGIN
    FOR n IN 0..19 LOOP
        EXECUTE format('CREATE TYPE state_%s AS ENUM (''new'', ''paid'', ''sent'', ''closed'')', n);
    END LOOP;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.updated_at = now(); RETURN NEW; END';
    FOR n IN 0..999 LOOP
        EXECUTE format(
            'CREATE TABLE table_%1$s (
                id bigserial PRIMARY KEY,
                parent_id bigint %3$s,
                name varchar(200) NOT NULL,
                kind text NOT NULL DEFAULT ''plain'' CHECK (kind IN (''plain'', ''other'')),
                state state_%2$s NOT NULL DEFAULT ''new'',
                total numeric(12, 2) NOT NULL DEFAULT 0 CHECK (total >= 0),
                data jsonb NOT NULL DEFAULT ''{}'',
                active boolean NOT NULL DEFAULT true,
                created_at timestamptz NOT NULL DEFAULT now(),
                updated_at timestamptz,
                UNIQUE (parent_id, name));
            CREATE INDEX ON table_%1$s (created_at);
            CREATE INDEX table_%1$s_active ON table_%1$s (lower(name)) WHERE active;
            COMMENT ON TABLE table_%1$s IS ''The table with the number %1$s'';',
            n, n % 20, CASE WHEN n > 0 THEN format('REFERENCES table_%s ON DELETE CASCADE', n - 1)
                        END);
        COMMIT; -- a transaction has room for a few thousand locks
        IF n % 4 = 0 THEN
            EXECUTE format('CREATE TRIGGER touch BEFORE UPDATE ON table_%1$s FOR EACH ROW'
                           ' EXECUTE FUNCTION touch()', n);
        END IF;
        IF n % 10 = 0 THEN
            EXECUTE format(
                'CREATE VIEW view_%1$s AS SELECT t.id, t.name, count(*) AS children
                     FROM table_%1$s t JOIN table_%2$s c ON c.parent_id = t.id
                     WHERE t.active GROUP BY t.id, t.name;
                 CREATE FUNCTION total_of_%1$s(bigint) RETURNS numeric LANGUAGE sql STABLE AS
                     ''SELECT sum(total) FROM table_%1$s WHERE parent_id = $1'';',
                n, greatest(n - 1, 0));
        END IF;
    END LOOP;
END $$;
