UPDATE t SET c0 = 1, c64 = 1, c129 = 1;
