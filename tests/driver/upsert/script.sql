INSERT INTO t VALUES (1, 'seed'), (3, 'seed') ON CONFLICT(id) DO UPDATE SET a = excluded.a;
