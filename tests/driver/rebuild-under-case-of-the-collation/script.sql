UPDATE t SET mail = lower(mail);
