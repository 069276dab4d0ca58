DELETE FROM t WHERE kind = 'seed';
