SELECT clean(1);
