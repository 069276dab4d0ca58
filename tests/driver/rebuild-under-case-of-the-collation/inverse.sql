UPDATE t SET mail = mail;
