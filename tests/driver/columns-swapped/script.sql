UPDATE t SET a = b, b = a;
