#include "migration/unwrap.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool head_is(const rb_sql_statement *s, size_t i, const char *word)
{
    return i < s->heads && rb_token_is(&s->head[i], word);
}

bool rb_sql_one_of(const rb_token *token, const char *const *words)
{
    for (; *words; words++)
        if (rb_token_is(token, *words))
            return true;
    return false;
}

enum rb_control rb_sql_control(const rb_sql_statement *s)
{
    static const char *const other[] = {"rollback", "savepoint", "release", NULL};
    static const char *const fillers[] = {"work", "transaction", NULL};
    const rb_token *first = &s->head[0];
    if (rb_token_is(first, "begin"))
        return RB_CONTROL_BEGIN;
    if (rb_token_is(first, "commit") || rb_token_is(first, "end")) {
        /* COMMIT [WORK or TRANSACTION] is a plain commit; with other words, such as AND CHAIN, it
         * is not. */
        bool filled = s->heads > 1 && rb_sql_one_of(&s->head[1], fillers);
        return s->heads == (filled ? 2 : 1) ? RB_CONTROL_COMMIT : RB_CONTROL_OTHER;
    }
    if (rb_sql_one_of(first, other))
        return RB_CONTROL_OTHER;
    if (rb_token_is(first, "start") && head_is(s, 1, "transaction"))
        return RB_CONTROL_BEGIN;
    bool prepare = rb_token_is(first, "prepare") && head_is(s, 1, "transaction");
    return rb_token_is(first, "abort") || prepare ? RB_CONTROL_OTHER : RB_CONTROL_NONE;
}

char *rb_sql_pragma(const rb_sql_statement *s, const rb_sql_dialect *dialect)
{
    if (!dialect->pragmas || !head_is(s, 0, "pragma") || s->heads < 2)
        return NULL;
    /* the statement may be PRAGMA schema.name */
    bool qualified = s->heads > 3 && rb_token_is(&s->head[2], ".");
    return rb_token_folded(&s->head[qualified ? 3 : 1]);
}

static void refuse(rb_refused *out, size_t offset, const char *what)
{
    if (out->found)
        return;
    out->found = true;
    out->offset = offset;
    snprintf(out->what, sizeof out->what, "%s", what);
}

/* Reports a psql command by its backslash and letters (\copy); other bytes are not shown. */
static void refuse_meta(rb_refused *out, const char *text, const rb_token *meta)
{
    char what[64];
    size_t len = 1;
    while (len < meta->len && len < 20 && isalpha((unsigned char)meta->text[len]))
        len++;
    snprintf(what, sizeof what, "psql's command %.*s", (int)len, meta->text);
    refuse(out, (size_t)(meta->text - text), what);
}

/* True for a PRAGMA that SQLite only obeys outside of a transaction: a setting of the connection or
 * of the file. */
static bool idle_pragma(const rb_sql_statement *s, const rb_sql_dialect *dialect)
{
    static const char *const idle[] = {"foreign_keys", "journal_mode", "synchronous", "temp_store"};
    RB_AUTO(rb_free_str) char *pragma = rb_sql_pragma(s, dialect);
    for (size_t i = 0; pragma && i < sizeof idle / sizeof *idle; i++)
        if (strcmp(pragma, idle[i]) == 0)
            return true;
    return false;
}

static void blank(char *text, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (text[i] != '\n' && text[i] != '\r')
            text[i] = ' ';
}

/* Reads a script. Blanks what does not run in `runs`, a copy of it. */
static rb_refused unwrap(char *runs, const char *text, size_t len, const char *engine)
{
    rb_refused out = {0};
    bool begun = false;
    size_t begin = 0;
    rb_sql sql;
    rb_sql_init(&sql, text, len, engine);
    rb_sql_statement s;
    while (!out.found && rb_sql_statement_next(&s, &sql)) {
        if (s.meta.kind != RB_TOKEN_END)
            refuse_meta(&out, text, &s.meta);
        enum rb_control control = rb_sql_control(&s);
        if (control == (begun ? RB_CONTROL_COMMIT : RB_CONTROL_BEGIN)) {
            begun = !begun;
            begin = s.start;
        } else if (control != RB_CONTROL_NONE) {
            refuse(&out, s.start, "transaction control");
        }
        if (control != RB_CONTROL_NONE || idle_pragma(&s, sql.dialect))
            blank(runs, s.start, s.end);
    }
    if (begun)
        refuse(&out, begin, "BEGIN without COMMIT");
    return out;
}

rb_refused rb_sql_refused(const char *text, size_t len, const char *engine)
{
    RB_AUTO(rb_free_str) char *runs = rb_strndup(text, len);
    return unwrap(runs, text, len, engine);
}

enum rb_code rb_script_unwrap(char **out, const rb_script *script, const char *engine, rb_err *err)
{
    RB_AUTO(rb_free_str) char *runs = rb_strndup(script->text, script->len);
    rb_refused refused = unwrap(runs, script->text, script->len, engine);
    if (refused.found)
        return rb_fail(err, RB_FOUND,
                       "%s, line %zu: %s inside a migration cannot run in rbtool's transaction\n"
                       "remove it or split the migration",
                       script->path, script->line + rb_sql_line(script->text, refused.offset) - 1,
                       refused.what);
    if (script->len >= 3 && memcmp(runs, "\xef\xbb\xbf", 3) == 0)
        blank(runs, 0, 3);
    *out = RB_TAKE(runs);
    return RB_OK;
}

bool rb_script_is_blank(const rb_script *script, const char *engine)
{
    if (!script->present)
        return true;
    rb_sql sql;
    rb_sql_init(&sql, script->text, script->len, engine);
    rb_sql_statement s;
    return !rb_sql_statement_next(&s, &sql);
}
