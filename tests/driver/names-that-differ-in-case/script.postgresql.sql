ALTER TABLE users DROP COLUMN note;
UPDATE "Users" SET "Name" = NULL;
