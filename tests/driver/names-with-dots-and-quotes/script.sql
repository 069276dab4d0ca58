ALTER TABLE "a.b" DROP COLUMN "c.d";
ALTER TABLE a DROP COLUMN "b.c";
UPDATE a SET rowid = 'z';
UPDATE "a.b" SET "say ""hi""" = NULL;
