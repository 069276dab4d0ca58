UPDATE f SET x = rtrim(x, '!');
