UPDATE f SET x = x || '!';
