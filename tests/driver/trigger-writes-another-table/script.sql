UPDATE t SET a = a + 1;
