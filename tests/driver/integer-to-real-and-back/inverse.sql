UPDATE t SET n = n;
