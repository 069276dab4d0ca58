UPDATE t SET j = '{"a":1}', p = p;
