/*
 * The catalog of PostgreSQL: the input is what a server answers, a row a line: a digit for the
 * statement, and its fields, each behind a tab; \N is null. Whatever they are, a catalog comes out
 * of it, or an error.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "database/postgres/catalog_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static PGresult *(*make)(PGconn *conn, ExecStatusType status);
static int (*set_attributes)(PGresult *result, int n, PGresAttDesc *attributes);

/* Functions of libpq that rbtool itself does not use. */
static bool load(void)
{
    static void *library;
    if (make)
        return true;
    library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!library || rb_pg_libraries_load(RB_IGNORED) != RB_OK)
        return false;
    void *found = dlsym(library, "PQsetResultAttrs");
    memcpy(&set_attributes, &found, sizeof found);
    found = dlsym(library, "PQmakeEmptyPGresult");
    memcpy(&make, &found, sizeof found);
    return true;
}

static PGresult *row_of(const rb_strs *fields)
{
    PGresult *row = make(NULL, PGRES_SINGLE_TUPLE);
    PGresAttDesc *attributes = rb_calloc(fields->n + 1, sizeof *attributes);
    for (size_t i = 0; i < fields->n; i++)
        attributes[i].name = (char *)"field";
    if (fields->n > 0 && !set_attributes(row, (int)fields->n, attributes))
        abort();
    free(attributes);
    for (size_t i = 0; i < fields->n; i++) {
        const char *text = fields->items[i];
        const bool null = strcmp(text, "\\N") == 0;
        if (!PQsetvalue(row, 0, (int)i, null ? NULL : (char *)text, null ? -1 : (int)strlen(text)))
            abort();
    }
    return row;
}

static enum rb_code add_line(rb_pg_tables *tables, const char *line, size_t len, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs fields = {0};
    const char *tab = len > 1 ? memchr(line, '\t', len) : NULL;
    while (tab) {
        const char *start = tab + 1;
        tab = memchr(start, '\t', len - (size_t)(start - line));
        rb_strs_take(&fields,
                     rb_strndup(start, tab ? (size_t)(tab - start) : len - (size_t)(start - line)));
    }
    PGresult *row = row_of(&fields);
    const enum rb_code code = rb_pg_tables_add(tables, (size_t)(line[0] - '0'), row, err);
    PQclear(row);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RB_AUTO(rb_free_str) char *text = rb_strndup((const char *)data, size);
    RB_AUTO(rb_json_freep) json_t *catalog = json_object();
    RB_AUTO(rb_json_freep) json_t *keys = json_object();
    RB_AUTO(rb_pg_tables_freep) rb_pg_tables *tables = NULL;
    rb_buf out = {0};
    rb_err err;
    if (!load())
        return 0; /* without libpq, a catalog of PostgreSQL cannot be read */
    tables = rb_pg_tables_new(catalog, keys);
    char last = '0';
    for (const char *line = text; *line;) {
        const size_t len = strcspn(line, "\n");
        if (len > 0 && (*line < last || add_line(tables, line, len, &err) != RB_OK))
            return 0; /* answers come in the order of the statements */
        last = len > 0 ? *line : last;
        line += len + (line[len] == '\n');
    }
    rb_pg_tables_finish(tables);
    rb_json_canonical(&out, catalog);
    rb_buf_clear(&out);
    return 0;
}
