UPDATE t SET k = lower(k);
