INSERT OR REPLACE INTO t VALUES (1, 'seed'), (9, 'seed');
