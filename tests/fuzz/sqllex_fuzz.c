/*
 * Statements of any text: they follow each other inside it, and those of SQLite end exactly where
 * SQLite's own sqlite3_complete() says that a statement is complete.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "migration/destroys.h"
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
        if (rb_sql_next(&sql).kind == RB_SQL_END)
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
            free(rb_sql_name(&s.head[i]));
        at = s.end;
    }
    rb_sql_destroys(text, len, engine, visit, &len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || memchr(data, '\0', size))
        return 0;
    char *text = rb_strndup((const char *)data, size);
    check_engine(text, size, "sqlite");
    check_engine(text, size, "postgresql");
    /* What is blank to SQLite's tokenizer, a byte order mark, is a letter to sqlite3_complete(). */
    if (size <= COMPARED && !strstr(text, "\xef\xbb\xbf"))
        compare_with_sqlite(text, size);
    free(text);
    return 0;
}
