/* The catalog of a database, from what catalog.sql answers. */
#include "catalog/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/name.h"
#include "database/postgres/postgres.h"
#include "database/tracking.h"

__asm__(".pushsection .rodata\nrb_pg_catalog_sql:\n"
        ".incbin \"core/database/postgres/catalog.sql\"\n.byte 0\n.popsection\n");
extern const char rb_pg_catalog_sql[];

/* A definition shows values and names in the form that these settings give. The last ones are for
 * speed: the query has many parts of few rows, whose numbers the server cannot estimate. */
#define LIMIT (256u << 20) /* bytes of the answer */

static const char settings[] =
    "SET LOCAL search_path = ''; SET LOCAL quote_all_identifiers = off; SET LOCAL TimeZone = 'UTC';"
    " SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = postgres;"
    " SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = hex; SET LOCAL lc_monetary = 'C';"
    " SET LOCAL xmlbinary = base64; SET LOCAL jit = off; SET LOCAL work_mem = '64MB';"
    " SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off";

enum { KIND, SCHEMA, TABLE, NAME, TEXT, DEFINITION, FIELDS };

/* The query for this server: without its first comment, and without the lines that end in "-- N"
 * where the server is older than N. */
static char *query_for(int version)
{
    rb_buf out = {0};
    for (const char *line = strstr(rb_pg_catalog_sql, "\nWITH ") + 1; *line;) {
        size_t len = strcspn(line, "\n");
        const char *mark =
            len > 6 && strncmp(line + len - 6, " -- ", 4) == 0 ? line + len - 2 : NULL;
        if (!mark || strtol(mark, NULL, 10) <= version / 10000) {
            rb_buf_add(&out, line, mark ? len - 6 : len);
            rb_buf_addc(&out, '\n');
        }
        line += len + (line[len] == '\n');
    }
    return rb_buf_detach(&out);
}

/* Removes members that are null or false, at any depth. */
static void strip(json_t *value)
{
    const char *key;
    json_t *member;
    void *next;
    size_t i;
    json_array_foreach (value, i, member)
        strip(member);
    json_object_foreach_safe(value, next, key, member)
    {
        if (json_is_null(member) || json_is_false(member))
            json_object_del(value, key);
        else
            strip(member);
    }
}

static const char *cell(const PGresult *row, int column)
{
    return PQgetisnull(row, 0, column) ? NULL : PQgetvalue(row, 0, column);
}

/* The string that stands for an object of a schema (catalog/name.h). */
static char *qualified(const char *schema, const char *name)
{
    if (!name)
        return rb_strdup(schema ? schema : "");
    bool plain = !schema || (strcmp(schema, "public") == 0 && !strpbrk(name, ".\""));
    return rb_catalog_qualified(plain ? NULL : schema, name);
}

/* "audit.f(integer)": the name, if there is one, as a key has it, and the text. */
static char *with_text(const char *schema, const char *name, const char *text)
{
    rb_buf out = {0};
    if (schema && strcmp(schema, "public") != 0) {
        rb_catalog_add_part(&out, schema);
        rb_buf_addc(&out, '.');
    }
    if (name)
        rb_catalog_add_part(&out, name);
    rb_buf_puts(&out, text);
    return rb_buf_detach(&out);
}

static char *key_of(const char *kind, const char *schema, const char *name, const char *text,
                    const char *owner)
{
    bool of_table = owner && strcmp(kind, "index") != 0 && strcmp(kind, "sequence") != 0;
    RB_AUTO(rb_free_str)
    char *own = of_table ? rb_strdup(name ? name : text)
                : text   ? with_text(schema, name, text)
                         : qualified(schema, name);
    return rb_catalog_key(kind, of_table ? owner : NULL, own);
}

static enum rb_code add_entry(json_t *catalog, const PGresult *row, rb_err *err)
{
    const char *kind = cell(row, KIND);
    const char *schema = cell(row, SCHEMA);
    const char *table = cell(row, TABLE);
    const char *name = cell(row, NAME);
    const char *definition = cell(row, DEFINITION);
    const char *relation = table ? table : name;
    json_t *entry = NULL;
    if (relation && rb_tracking_owns(relation))
        return RB_OK;
    RB_TRY(rb_json_read(&entry, definition, strlen(definition), "a definition", err));
    strip(entry);
    RB_AUTO(rb_free_str) char *owner = table ? qualified(schema, table) : NULL;
    RB_AUTO(rb_free_str)
    char *key = key_of(kind, schema, name, cell(row, TEXT), owner);
    if (strcmp(kind, "index") == 0)
        rb_json_set_str(entry, "table", owner);
    const json_t *type = json_object_get(entry, "typeOf");
    if (type) {
        RB_AUTO(rb_free_str)
        char *of = qualified(json_string_value(json_array_get(type, 0)),
                             json_string_value(json_array_get(type, 1)));
        rb_json_set_str(entry, "typeOf", of);
    }
    json_object_set_new_nocheck(catalog, key, entry);
    return RB_OK;
}

/* Takes the rows as they come, so that the server works on the next ones meanwhile. */
static enum rb_code read_rows(json_t *catalog, rb_pg *pg, const char *sql, rb_err *err)
{
    enum rb_code code = RB_OK;
    size_t left = LIMIT;
    if (!PQsendQueryParams(pg->conn, sql, 0, NULL, NULL, NULL, NULL, 0))
        return rb_pg_fail(err, pg, NULL, "database %s: the catalog", pg->shown);
    PQsetSingleRowMode(pg->conn);
    for (PGresult *row; (row = PQgetResult(pg->conn)) != NULL; PQclear(row)) {
        if (code != RB_OK)
            continue;
        if (PQresultStatus(row) != PGRES_SINGLE_TUPLE) {
            if (PQresultStatus(row) != PGRES_TUPLES_OK)
                code = rb_pg_fail(err, pg, row, "database %s: the catalog", pg->shown);
            continue;
        }
        size_t len = 0;
        for (int i = 0; i < FIELDS; i++)
            len += (size_t)PQgetlength(row, 0, i) + 1;
        left -= len < left ? len : left;
        code = left > 0 ? add_entry(catalog, row, err)
                        : rb_fail(err, RB_ERROR, "database %s: the catalog has more than %u MiB",
                                  pg->shown, LIMIT >> 20);
        if (code != RB_OK)
            rb_db_interrupt(&pg->base);
    }
    return code;
}

static enum rb_code read_catalog(json_t **out, rb_pg *pg, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *catalog = json_object();
    RB_AUTO(rb_free_str) char *sql = query_for(PQserverVersion(pg->conn));
    RB_TRY(rb_pg_exec(pg, settings, err));
    RB_TRY(read_rows(catalog, pg, sql, err));
    *out = catalog;
    catalog = NULL;
    return RB_OK;
}

/* What the settings were comes back with the savepoint, or with the end of the transaction. */
enum rb_code rb_pg_catalog(json_t **out, rb_db *db, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    rb_err ignored;
    bool inside = PQtransactionStatus(pg->conn) != PQTRANS_IDLE;
    RB_TRY(rb_pg_exec(
        pg, inside ? "SAVEPOINT rbtool_catalog" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        err));
    enum rb_code code = read_catalog(out, pg, err);
    const char *end = inside ? "ROLLBACK TO rbtool_catalog; RELEASE rbtool_catalog" : "ROLLBACK";
    enum rb_code ended = rb_pg_exec(pg, end, code == RB_OK ? err : &ignored);
    if (code == RB_OK && ended != RB_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return code == RB_OK ? ended : code;
}
