/*
 * Any text as SQL. Statements follow each other inside it, and those of SQLite end exactly where
 * SQLite's own sqlite3_complete() says that a statement is complete. The normal form of a normal
 * form is itself. Every CREATE statement has entries, and they can be written.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "database/sqlite/create_index.h"
#include "migration/destroys.h"
#include "sql/alter_parser.h"
#include "sql/normal.h"
#include "sql/statement.h"

#define COMPARED 2048 /* bytes; the comparison is quadratic */

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Is nothing begun and not ended? */
static bool all_closed(const char *text, size_t len)
{
    rb_sql sql;
    rb_sql_init(&sql, text, len, "sqlite");
    rb_sql_statement s = {.closed = true};
    while (rb_sql_statement_next(&s, &sql))
        if (!s.closed)
            return false;
    return true;
}

/* Up to every semicolon. A comment that is left open is blank here, and incomplete for SQLite; so
 * is a text of comments alone. */
static void compare_with_sqlite(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != ';')
            continue;
        RB_AUTO(rb_free_str) char *prefix = rb_strndup(text, i + 1);
        rb_sql sql;
        rb_sql_init(&sql, prefix, i + 1, "sqlite");
        rb_token first;
        if (!rb_sql_next(&first, &sql))
            continue;
        RB_AUTO(rb_free_str) char *comment_closed = rb_format("%s*/", prefix);
        bool complete = sqlite3_complete(prefix) || sqlite3_complete(comment_closed);
        must(complete == all_closed(prefix, i + 1));
    }
}

static void visit(void *context, const rb_destroyed *what)
{
    must(what->offset < *(size_t *)context);
    must(*what->how);
}

static void check_engine(const char *text, size_t len, const char *engine)
{
    rb_sql sql;
    rb_sql_init(&sql, text, len, engine);
    size_t at = 0;
    rb_sql_statement s;
    while (rb_sql_statement_next(&s, &sql)) {
        must(s.start >= at && s.start < s.end && s.end <= len && sql.at >= s.end);
        must(s.heads > 0 && s.head[0].text == text + s.start);
        must(rb_sql_line(text, s.start) <= rb_sql_line(text, s.end));
        for (size_t i = 0; i < s.heads; i++)
            free(rb_token_folded(&s.head[i]));
        must(!s.has_data || (s.end <= s.data && s.data <= s.data_end && s.data_end <= sql.at));
        at = s.end;
    }
    rb_sql_destroys(text, len, engine, visit, &len);
}

static void normal(rb_buf *out, const char *sql, size_t len, const rb_strs *columns)
{
    rb_tokens tokens;
    rb_tokens_read(&tokens, sql, len, "sqlite");
    rb_tokens_normal(out, tokens.items, tokens.n, columns);
    rb_tokens_clear(&tokens);
}

/* Without a scope: in one, a name that has to be quoted and is none of its columns would be taken
 * for a string the second time. */
static void check_normal(const char *sql, size_t len)
{
    RB_AUTO(rb_buf_clear) rb_buf once = {0};
    RB_AUTO(rb_buf_clear) rb_buf twice = {0};
    normal(&once, sql, len, NULL);
    normal(&twice, rb_buf_str(&once), once.len, NULL);
    if (once.len != twice.len || strcmp(rb_buf_str(&once), rb_buf_str(&twice)) != 0)
        abort();
}

static void check_entries(const char *sql)
{
    static const char *const types[] = {"table", "index", "trigger", "view"};
    RB_AUTO(rb_strs_clear) rb_strs columns = {0};
    rb_strs_add(&columns, "a");
    rb_strs_add(&columns, "B c");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        json_t *entries = rb_sqlentries(types[i], "t", "t", sql, &columns);
        if (json_object_size(entries) == 0)
            abort();
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        rb_json_canonical(&text, entries); /* only valid UTF-8 can be written */
        json_decref(entries);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 65536 || memchr(data, '\0', size))
        return 0;
    char *text = rb_strndup((const char *)data, size);
    check_engine(text, size, "sqlite");
    check_engine(text, size, "postgresql");
    /* What is blank to SQLite's tokenizer, a byte order mark, is a letter to sqlite3_complete(). */
    if (size <= COMPARED && !strstr(text, "\xef\xbb\xbf"))
        compare_with_sqlite(text, size);
    check_normal(text, size);
    check_entries(text);
    rb_ddl ddl;
    rb_ddl_read(&ddl, text, size);
    rb_ddl_clear(&ddl);
    free(text);
    return 0;
}
