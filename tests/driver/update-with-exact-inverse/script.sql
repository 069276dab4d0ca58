UPDATE t SET priority = priority * 10;
