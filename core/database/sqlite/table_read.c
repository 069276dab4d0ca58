#include "database/sqlite/table_read.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sql/token.h"

char *rb_sqlite_default_value(const char *text)
{
    static const char *const values[] = {"NULL",         "TRUE",         "FALSE",
                                         "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"};
    rb_token token;
    rb_token more;
    const char *at = text;
    const char *end = text + strlen(text);
    if (!rb_token_next(&token, &at, end) || rb_token_next(&more, &at, end) ||
        (token.kind != RB_TOKEN_WORD && token.kind != RB_TOKEN_QUOTED))
        return rb_strdup(text);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (rb_token_is(&token, values[i]))
            return rb_strdup(text);
    RB_AUTO(rb_free_str) char *inside = rb_token_name(&token);
    return rb_sqlite_text(inside);
}

void rb_table_clear(rb_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->columns[i].name);
        free(t->columns[i].plain);
        free(t->columns[i].fresh);
    }
    free(t->columns);
    free(t->name);
    free(t->quoted);
    free(t->sql);
    *t = (rb_table){0};
}

/* Returns a letter for the affinity of a declared type (https://www.sqlite.org/datatype3.html,
 * 3.1). */
static char affinity_of(const char *type)
{
    static const struct {
        const char *part;
        char affinity;
    } rules[] = {{"INT", 'i'},  {"CHAR", 't'}, {"CLOB", 't'}, {"TEXT", 't'},
                 {"BLOB", 'b'}, {"REAL", 'r'}, {"FLOA", 'r'}, {"DOUB", 'r'}};
    if (!type || !*type)
        return 'b';
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcasestr(type, rules[i].part))
            return rules[i].affinity;
    return 'n';
}

/* Adds a column from a row: name, type, default, place in the key, NOT NULL. */
static bool add_column(void *context, const rb_cell *cells, size_t n)
{
    rb_table *t = context;
    (void)n;
    t->columns = rb_realloc(t->columns, t->n + 1, sizeof *t->columns);
    t->columns[t->n++] = (rb_table_col){
        rb_sqlite_name(cells[0].data),
        rb_safe(cells[0].data),
        rb_sqlite_default_value(cells[2].kind == RB_CELL_TEXT ? cells[2].data : "NULL"),
        affinity_of(cells[1].kind == RB_CELL_TEXT ? cells[1].data : NULL),
        cells[3].integer,
        cells[4].integer != 0};
    return true;
}

typedef struct search {
    rb_table *t;
    const char *wanted; /* safe name to find */
} search;

/* Handles a row: name, sql. */
static bool match_table(void *context, const rb_cell *cells, size_t n)
{
    search *s = context;
    (void)n;
    RB_AUTO(rb_free_str) char *safe = rb_safe(cells[0].data);
    if (strcasecmp(safe, s->wanted) != 0)
        return true;
    s->t->name = rb_strdup(cells[0].data);
    s->t->sql = rb_strdup(cells[1].kind == RB_CELL_TEXT ? cells[1].data : "");
    return false;
}

/* True if these two words follow each other in the text. */
static bool says(const char *sql, const char *first, const char *second)
{
    rb_token token;
    const char *at = sql;
    const char *end = sql + strlen(sql);
    bool found = false;
    for (bool seen = false; !found && rb_token_next(&token, &at, end);
         seen = rb_token_is(&token, first))
        found = seen && rb_token_is(&token, second);
    return found;
}

enum rb_code rb_table_find(rb_table *out, rb_sqlite *db, const char *schema, const char *name,
                           rb_err *err)
{
    search s = {out, name};
    rb_token token;
    out->schema = schema;
    RB_AUTO(rb_free_str) char *wanted = rb_sqlite_text(name);
    RB_TRY(rb_sqlite_run(db,
                         rb_format("SELECT name, sql FROM %s.sqlite_schema WHERE type = 'table' AND"
                                   " (name = %s COLLATE NOCASE OR %d)",
                                   schema, wanted, strchr(name, '\\') != NULL),
                         match_table, &s, err));
    if (!out->name)
        return RB_OK;
    const char *at = out->sql;
    const char *end = at + strlen(at);
    out->is_virtual = rb_token_next(&token, &at, end) && rb_token_next(&token, &at, end) &&
                      rb_token_is(&token, "VIRTUAL");
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(out->name);
    RB_AUTO(rb_free_str) char *text = rb_sqlite_text(out->name);
    out->quoted = rb_format("%s.%s", schema, quoted);
    out->has_rowid = !says(out->sql, "WITHOUT", "ROWID");
    return rb_sqlite_run(db,
                         rb_format("SELECT name, type, dflt_value, pk, \"notnull\" FROM"
                                   " pragma_table_xinfo(%s, '%s') WHERE hidden = 0",
                                   text, schema),
                         add_column, out, err);
}

const rb_table_col *rb_table_column(const rb_table *t, const char *plain)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcasecmp(t->columns[i].plain, plain) == 0)
            return &t->columns[i];
    return NULL;
}

const char *rb_table_rowid(const rb_table *was, const rb_table *now)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    for (size_t i = 0; i < 3 && was->has_rowid && now->has_rowid; i++)
        if (!rb_table_column(was, names[i]) && !rb_table_column(now, names[i]))
            return names[i];
    return NULL;
}

char *rb_table_before(const rb_sqlite *db, const char *name)
{
    return rb_format("%s%s", rb_sqlite_state_of(db)->keeps ? "rbtool " : "", name);
}

/* Virtual tables: */

/* True for a full-text index with content=TABLE: its rows are those of that table. */
static bool is_external(const char *sql)
{
    rb_tokens tokens;
    bool found = false;
    rb_tokens_read(&tokens, sql, strlen(sql), "sqlite");
    for (size_t i = 0; i + 2 < tokens.n && !found; i++) {
        if (!rb_token_is(&tokens.items[i], "CONTENT") || !rb_token_is(&tokens.items[i + 1], "="))
            continue;
        RB_AUTO(rb_free_str) char *name = rb_token_name(&tokens.items[i + 2]);
        found = name[0] != '\0';
    }
    rb_tokens_clear(&tokens);
    return found;
}

static enum rb_code shadows_of(rb_strs *out, rb_sqlite *db, const rb_table *t, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(t->name);
    return rb_sqlite_run(db,
                         rb_format("SELECT name FROM pragma_table_list WHERE schema = '%s' AND"
                                   " type = 'shadow' AND substr(name, 1, length(%s) + 1) = %s ||"
                                   " '_' COLLATE NOCASE",
                                   t->schema, name, name),
                         rb_sqlite_add_text, out, err);
}

/* Sets *out if the table has data of its own, and is not just an index or view of other tables. */
enum rb_code rb_table_has_data(bool *out, rb_sqlite *db, const rb_table *t, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs shadows = {0};
    *out = !t->is_virtual;
    if (*out || is_external(t->sql))
        return RB_OK;
    RB_TRY(shadows_of(&shadows, db, t, err));
    *out = shadows.n > 0;
    return RB_OK;
}

/* Counts rows. A contentless FTS4 table cannot be scanned: uses the row count of its largest shadow
 * table. */
enum rb_code rb_table_count(int64_t *rows, bool *exact, rb_sqlite *db, const rb_table *t,
                            rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs shadows = {0};
    enum rb_code code =
        rb_sqlite_int(rows, db, rb_format("SELECT count(*) FROM %s", t->quoted), err);
    if (code == RB_OK || !t->is_virtual)
        return code;
    *exact = false;
    *rows = 0;
    RB_TRY(shadows_of(&shadows, db, t, err));
    for (size_t i = 0; i < shadows.n; i++) {
        RB_AUTO(rb_free_str) char *shadow = rb_sqlite_name(shadows.items[i]);
        int64_t n;
        RB_TRY(
            rb_sqlite_int(&n, db, rb_format("SELECT count(*) FROM %s.%s", t->schema, shadow), err));
        *rows = n > *rows ? n : *rows;
    }
    return RB_OK;
}

enum rb_code rb_sqlite_shadows(rb_strs *out, rb_sqlite *db, rb_err *err)
{
    int64_t has_virtual;
    /* Only if there are virtual tables: pragma_table_list is slow, since it prepares every view. */
    RB_TRY(rb_sqlite_int(&has_virtual, db,
                         rb_strdup("SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type ="
                                   " 'table' AND sql LIKE 'create virtual%')"),
                         err));
    if (!has_virtual)
        return RB_OK;
    return rb_sqlite_each(
        db, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'", NULL,
        rb_sqlite_add_text, out, err);
}
