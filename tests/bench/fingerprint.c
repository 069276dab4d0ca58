/* Prints the fingerprint of a database's schema: fingerprint URL. */
#include <stdio.h>

#include "catalog/catalog.h"
#include "database/database.h"

int main(int argc, char **argv)
{
    rb_err err;
    rb_db *db = NULL;
    json_t *catalog = NULL;
    char fingerprint[RB_SHA256_HEX];
    if (argc != 2)
        return 2;
    if (rb_db_open(&db, argv[1], RB_DB_READ, &err) != RB_OK ||
        rb_db_catalog(&catalog, db, &err) != RB_OK) {
        fprintf(stderr, "%s\n", rb_err_line(&err));
        return 1;
    }
    rb_catalog_fingerprint(catalog, fingerprint);
    printf("%s %zu\n", fingerprint, json_object_size(catalog));
    json_decref(catalog);
    rb_db_close(db);
    return 0;
}
