/* Reads the catalog of a database from the rows of catalog.sql. */
#include "catalog/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "catalog/name.h"
#include "database/postgres/catalog_read.h"
#include "database/postgres/postgres.h"
#include "database/tracking.h"

RB_EMBED(rb_pg_catalog_sql, "core/database/postgres/catalog.sql");

/* Settings for reading. The first ones determine how definitions show values and names. The others
 * are for speed: the query has many parts with few rows, which the planner overestimates. */
#define LIMIT (256u << 20) /* bytes of the rows */

static const char all_settings[] =
    "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off";
static const char part_settings[] =
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;"
    " SET LOCAL enable_seqscan = off";
#define PART "UNION ALL -- "

enum rb_code rb_pg_catalog_parts(json_t **out, rb_pg *pg, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf sql = {0};
    rb_buf_puts(&sql, "SELECT jsonb_object_agg(name, yes) FROM (VALUES ");
    const char *separator = "";
    for (const char *at = rb_pg_catalog_sql; (at = strstr(at, "\n" PART)) != NULL;) {
        at += strlen("\n" PART);
        const int len = (int)strcspn(at, "\n");
        rb_buf_printf(&sql, "%s('%.*s', EXISTS (SELECT FROM pg_catalog.%.*s WHERE oid >= 16384))",
                      separator, len, at, len, at);
        separator = ", ";
    }
    rb_buf_puts(&sql, ") found(name, yes)");
    return rb_pg_json(out, pg, rb_buf_str(&sql), NULL, 0, err);
}

/* Returns the line itself, or, if it begins a part that is left out, the line after that part. */
static const char *skip_part(const char *line, const json_t *parts)
{
    const size_t len = strcspn(line, "\n");
    const size_t mark = strlen(PART);
    const char *next = line + len + (line[len] == '\n');
    if (len <= mark || strncmp(line, PART, mark) != 0)
        return line;
    RB_AUTO(rb_free_str) char *name = rb_strndup(line + mark, len - mark);
    if (json_is_true(json_object_get(parts, name)))
        return line;
    while (*next && strncmp(next, "UNION ALL", 9) != 0 && strncmp(next, ";\n", 2) != 0)
        next += strcspn(next, "\n") + 1;
    return skip_part(next, parts);
}

/* Adds a line, with a parameter for a word in braces; none that has {scope} where all is read. */
static void add_line(rb_buf *out, const char *line, size_t len, const rb_pg_part *part)
{
    static const char scope[] = "{scope}";
    static const char since[] = "{since}";
    RB_AUTO(rb_free_str) char *text = rb_strndup(line, len);
    const char *at = text;
    if (!part->scope && strstr(text, scope))
        return;
    for (const char *brace; (brace = strchr(at, '{')) != NULL; at = brace) {
        const bool is_scope = strncmp(brace, scope, strlen(scope)) == 0;
        const bool is_word = is_scope || strncmp(brace, since, strlen(since)) == 0;
        rb_buf_add(out, at, (size_t)(brace - at));
        rb_buf_puts(out, !is_word ? "{" : is_scope ? "$1::oid[]" : "$1::xid");
        brace += is_word ? strlen(scope) : 1;
    }
    rb_buf_puts(out, at);
}

/* Returns the statements for this server and these parts: without the first comment, and without
 * lines that end in "-- N" if the server is older than version N. The lines before the first ";"
 * are repeated at the start of each statement. */
char *rb_pg_catalog_statements(const char *sql, const rb_pg *pg, const rb_pg_part *part)
{
    rb_buf out = {0};
    RB_AUTO(rb_free_str) char *first = NULL;
    const int version = PQserverVersion(pg->conn) / 10000;
    const char *line = strstr(sql, "*/\n") + 3;
    while (*(line = skip_part(line, part->parts))) {
        size_t len = strcspn(line, "\n");
        const char *mark =
            len > 6 && strncmp(line + len - 6, " -- ", 4) == 0 ? line + len - 2 : NULL;
        const bool ends = len == 1 && *line == ';';
        if (ends && !first)
            first = rb_strdup(out.data);
        else if (!mark || strtol(mark, NULL, 10) <= version)
            add_line(&out, line, mark ? len - 6 : len, part);
        rb_buf_addc(&out, '\n');
        if (ends && out.data[out.len - 2] == ';')
            rb_buf_puts(&out, first);
        line += len + (line[len] == '\n');
    }
    return rb_buf_detach(&out);
}

/* Returns "audit.f(integer)": the name in the form of keys, if one is given, and then the text. */
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

/* Removes the names that the server generated from the checks of a domain. */
static void clean_checks(const char *type, json_t *checks)
{
    rb_json_each (check, checks) {
        const char *name = rb_json_str(check, "name");
        RB_AUTO(rb_free_str)
        char *bare = name ? rb_pg_generated_name(name, type, NULL, "check") : NULL;
        if (bare)
            json_object_del(check, "name");
    }
}

/* Adds an object other than a table or a part of one. */
static enum rb_code add_object(rb_pg_tables *tables, const PGresult *row, rb_err *err)
{
    enum { UNIT, KIND, SCHEMA, TABLE, NAME, TEXT, DEFINITION };
    const char *kind = rb_pg_field(row, KIND);
    const char *schema = rb_pg_field(row, SCHEMA);
    const char *table = rb_pg_field(row, TABLE);
    const char *name = rb_pg_field(row, NAME);
    const char *text = rb_pg_field(row, TEXT);
    const char *relation = table ? table : name;
    json_t *entry;
    if (!kind || (!name && (table || !text)))
        return rb_fail(err, RB_ERROR, "the server's answer has an object without a name");
    if (relation && rb_tracking_owns(relation))
        return RB_OK;
    const bool is_code = strcmp(kind, "function") == 0 || strcmp(kind, "procedure") == 0;
    RB_AUTO(rb_free_str)
    char *definition = is_code ? NULL : rb_pg_without_casts(PQgetvalue(row, 0, DEFINITION));
    RB_TRY(rb_pg_read_object(&entry, definition ? definition : rb_pg_field(row, DEFINITION), err));
    if (name && strcmp(kind, "type") == 0)
        clean_checks(name, json_object_get(entry, "checks"));
    RB_AUTO(rb_free_str) char *owner = table ? rb_pg_qualified(schema, table) : NULL;
    RB_AUTO(rb_free_str)
    char *own = table  ? rb_strdup(name)
                : text ? with_text(schema, name, text)
                       : rb_pg_qualified(schema, name);
    RB_AUTO(rb_free_str) char *key = rb_catalog_key(kind, owner, own);
    rb_pg_tables_put(tables, strtoul(PQgetvalue(row, 0, UNIT), NULL, 10), key, entry);
    return RB_OK;
}

/* The function for the rows of each statement, in order, and the number of their fields. */
static const struct {
    rb_pg_add_row *add;
    int fields;
} statements[] = {{rb_pg_add_relation, 6},    {rb_pg_add_column, 9},   {rb_pg_add_index, 8},
                  {rb_pg_add_constraint, 11}, {rb_pg_add_sequence, 7}, {add_object, 7}};

enum rb_code rb_pg_tables_add(rb_pg_tables *tables, size_t statement, const PGresult *row,
                              rb_err *err)
{
    if (statement >= sizeof statements / sizeof *statements ||
        PQnfields(row) < statements[statement].fields)
        return rb_fail(err, RB_ERROR, "the server's answer is not what the catalog asked for");
    return statements[statement].add(tables, row, err);
}

/* Adds rows while they arrive, so that the server can work on the next ones. */
static enum rb_code read_rows(rb_pg_tables *tables, rb_pg *pg, const char *sql, rb_err *err)
{
    enum rb_code code = RB_OK;
    size_t left = LIMIT;
    size_t statement = 0;
    if (!PQsendQuery(pg->conn, sql))
        return rb_pg_fail(err, pg, NULL, "database %s: the catalog", pg->shown);
    PQsetSingleRowMode(pg->conn);
    for (PGresult *row; (row = PQgetResult(pg->conn)) != NULL; PQclear(row)) {
        if (code != RB_OK)
            continue;
        if (PQresultStatus(row) != PGRES_SINGLE_TUPLE) {
            if (PQresultStatus(row) != PGRES_TUPLES_OK)
                code = rb_pg_fail(err, pg, row, "database %s: the catalog", pg->shown);
            statement++;
            continue;
        }
        size_t len = 0;
        for (int i = 0; i < PQnfields(row); i++)
            len += (size_t)PQgetlength(row, 0, i) + 1;
        left -= len < left ? len : left;
        code = left > 0 ? rb_pg_tables_add(tables, statement, row, err)
                        : rb_fail(err, RB_ERROR, "database %s: the catalog has more than %u MiB",
                                  pg->shown, LIMIT >> 20);
        if (code != RB_OK)
            rb_pg_interrupt(&pg->base);
    }
    return code;
}

enum rb_code rb_pg_catalog_prepare(rb_buf *out, rb_pg *pg, const char *sql, const char *values,
                                   rb_err *err)
{
    char name[RB_PG_PREPARED];
    RB_TRY(rb_pg_prepare(name, pg, sql, err));
    rb_buf_printf(out, "EXECUTE %s(%s);", name, values);
    return RB_OK;
}

/* Planning statements for a few rows takes longer than running them. */
static enum rb_code prepare_all(rb_buf *out, rb_pg *pg, char *sql, const char *values, rb_err *err)
{
    static const char end[] = "\n;\n";
    char *last = sql;
    for (char *stop; (stop = strstr(last, end)) != NULL; last = stop + strlen(end)) {
        *stop = '\0';
        RB_TRY(rb_pg_catalog_prepare(out, pg, last, values, err));
    }
    return rb_pg_catalog_prepare(out, pg, last, values, err);
}

/* Of a part, the server looks rows up by oid, whatever it believes about their number. */
enum rb_code rb_pg_catalog_read(json_t *catalog, json_t *keys, rb_pg *pg, const rb_pg_part *part,
                                rb_err *err)
{
    RB_AUTO(rb_pg_tables_freep) rb_pg_tables *tables = rb_pg_tables_new(catalog, keys);
    RB_AUTO(rb_free_str) char *sql = rb_pg_catalog_statements(rb_pg_catalog_sql, pg, part);
    RB_AUTO(rb_buf_clear) rb_buf prepared = {0};
    RB_TRY(rb_pg_exec(pg, part->scope ? part_settings : all_settings, err));
    if (part->scope)
        RB_TRY(prepare_all(&prepared, pg, sql, part->scope, err));
    RB_TRY(read_rows(tables, pg, part->scope ? prepared.data : sql, err));
    rb_pg_tables_finish(tables);
    return RB_OK;
}
