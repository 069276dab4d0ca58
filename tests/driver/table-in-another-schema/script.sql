UPDATE audit.log SET what = NULL WHERE id = 1;
ALTER TABLE audit.log SET SCHEMA public;
