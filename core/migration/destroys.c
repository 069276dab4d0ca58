#include "migration/destroys.h"

#include <string.h>

#include "base/buf.h"
#include "sql/statement.h"

struct scan {
    rb_strs made;   /* tables that this script has created */
    rb_strs copied; /* tables whose rows this script has copied to another one */
    rb_destroys_visit *visit;
    void *context;
    size_t offset; /* offset of the current statement */
};

/* Reads the tokens of one statement. */
struct words {
    rb_sql sql;
    size_t end;
    rb_token token;
};

static void advance(struct words *w)
{
    rb_sql_next(&w->token, &w->sql);
    if (w->token.text >= w->sql.text + w->end)
        w->token.kind = RB_TOKEN_END;
}

static bool take(struct words *w, const char *word)
{
    if (!rb_token_is(&w->token, word))
        return false;
    advance(w);
    return true;
}

/* Appends a part of a qualified name, quoted as in catalogs. */
static void add_part(rb_buf *out, const char *part)
{
    const bool quoted = strpbrk(part, ".\"") != NULL;
    if (quoted)
        rb_buf_addc(out, '"');
    for (; *part; part++)
        rb_buf_puts(out, *part == '"' ? "\"\"" : (char[]){*part, '\0'});
    if (quoted)
        rb_buf_addc(out, '"');
}

/* Reads [schema.]name and returns it as in catalogs: without the default schema. NULL if no name
 * follows. */
static char *take_name(struct words *w)
{
    static const char *const plain[] = {"public", "main", "temp"};
    char *name = rb_token_folded(&w->token);
    if (!name)
        return NULL;
    advance(w);
    while (rb_token_is(&w->token, ".")) {
        RB_AUTO(rb_free_str) char *schema = name;
        bool is_plain = false;
        rb_buf both = {0};
        advance(w);
        RB_AUTO(rb_free_str) char *last = rb_token_folded(&w->token);
        if (!last)
            return NULL;
        advance(w);
        for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
            is_plain |= strcmp(schema, plain[i]) == 0;
        if (!is_plain)
            add_part(&both, schema);
        if (both.len > 0)
            rb_buf_addc(&both, '.');
        if (both.len > 0)
            add_part(&both, last);
        else
            rb_buf_puts(&both, last);
        name = rb_buf_detach(&both);
    }
    return name;
}

static void skip_if_exists(struct words *w)
{
    if (take(w, "if")) {
        take(w, "not");
        take(w, "exists");
    }
}

static void report(struct scan *scan, const char *how, const char *table, const char *column)
{
    const rb_destroyed what = {scan->offset, how, table, column};
    scan->visit(scan->context, &what);
}

static bool is_own(const struct scan *scan, const char *table)
{
    return rb_strs_has(&scan->made, table) || strncmp(table, "sqlite_", 7) == 0;
}

static void drop(struct scan *scan, struct words *w)
{
    bool schema = rb_token_is(&w->token, "schema");
    if (!schema && !rb_token_is(&w->token, "table"))
        return;
    advance(w);
    skip_if_exists(w);
    for (;;) {
        RB_AUTO(rb_free_str) char *name = take_name(w);
        if (!name)
            return;
        if (schema)
            report(scan, "DROP SCHEMA", name, NULL);
        else if (!is_own(scan, name) && !rb_strs_has(&scan->copied, name))
            report(scan, "DROP TABLE", name, NULL);
        if (!rb_token_is(&w->token, ","))
            return;
        advance(w);
    }
}

/* Skips one action of ALTER TABLE, up to a comma outside parentheses. */
static void skip_action(struct words *w)
{
    size_t depth = 0;
    for (; w->token.kind != RB_TOKEN_END; advance(w)) {
        if (rb_token_is(&w->token, "("))
            depth++;
        else if (rb_token_is(&w->token, ")") && depth > 0)
            depth--;
        else if (rb_token_is(&w->token, ",") && depth == 0)
            return;
    }
}

static void alter(struct scan *scan, struct words *w)
{
    if (!take(w, "table"))
        return;
    skip_if_exists(w);
    take(w, "only");
    RB_AUTO(rb_free_str) char *table = take_name(w);
    while (table && w->token.kind != RB_TOKEN_END) {
        if (take(w, "drop") && !rb_token_is(&w->token, "constraint")) {
            take(w, "column");
            skip_if_exists(w);
            RB_AUTO(rb_free_str) char *column = rb_token_folded(&w->token);
            if (column && !is_own(scan, table))
                report(scan, "DROP COLUMN", table, column);
        }
        skip_action(w);
        if (w->token.kind != RB_TOKEN_END)
            advance(w);
    }
}

/* Records the tables after FROM and JOIN in the rest of a copying statement. */
static void note_sources(struct scan *scan, struct words *w)
{
    while (w->token.kind != RB_TOKEN_END) {
        if (!take(w, "from") && !take(w, "join")) {
            advance(w);
            continue;
        }
        RB_AUTO(rb_free_str) char *name = take_name(w);
        if (name)
            rb_strs_add(&scan->copied, name);
    }
}

static void create(struct scan *scan, struct words *w)
{
    while (take(w, "temp") || take(w, "temporary") || take(w, "unlogged") || take(w, "local") ||
           take(w, "global")) {
    }
    if (!take(w, "table"))
        return;
    bool perhaps_there = rb_token_is(&w->token, "if");
    skip_if_exists(w);
    RB_AUTO(rb_free_str) char *name = take_name(w);
    if (!name)
        return;
    if (!perhaps_there)
        rb_strs_add(&scan->made, name);
    if (take(w, "as"))
        note_sources(scan, w);
}

static void delete_from(struct scan *scan, struct words *w, const char *how)
{
    take(w, "from");
    take(w, "table");
    take(w, "only");
    RB_AUTO(rb_free_str) char *name = take_name(w);
    if (name && !is_own(scan, name))
        report(scan, how, name, NULL);
}

/* Skips WITH ... AS (...), up to the statement that follows it. */
static void skip_with(struct words *w)
{
    size_t depth = 0;
    for (; w->token.kind != RB_TOKEN_END; advance(w)) {
        if (rb_token_is(&w->token, "("))
            depth++;
        else if (rb_token_is(&w->token, ")") && depth > 0)
            depth--;
        bool verb = rb_token_is(&w->token, "delete") || rb_token_is(&w->token, "insert") ||
                    rb_token_is(&w->token, "select") || rb_token_is(&w->token, "update");
        if (depth == 0 && verb)
            return;
    }
}

static void look(struct scan *scan, struct words *w)
{
    if (take(w, "with"))
        skip_with(w);
    if (take(w, "drop"))
        drop(scan, w);
    else if (take(w, "alter"))
        alter(scan, w);
    else if (take(w, "create"))
        create(scan, w);
    else if (take(w, "truncate"))
        delete_from(scan, w, "TRUNCATE");
    else if (take(w, "delete"))
        delete_from(scan, w, "DELETE FROM");
    else if (take(w, "insert") || take(w, "replace"))
        note_sources(scan, w);
}

void rb_sql_destroys(const char *text, size_t len, const char *engine, rb_destroys_visit *visit,
                     void *context)
{
    struct scan scan = {.visit = visit, .context = context};
    rb_sql sql;
    rb_sql_init(&sql, text, len, engine);
    rb_sql_statement s;
    while (rb_sql_statement_next(&s, &sql)) {
        struct words w = {.sql = sql, .end = s.end};
        w.sql.at = s.start;
        scan.offset = s.start;
        advance(&w);
        look(&scan, &w);
    }
    rb_strs_clear(&scan.made);
    rb_strs_clear(&scan.copied);
}
