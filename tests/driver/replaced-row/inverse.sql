DELETE FROM t WHERE a = 'seed';
