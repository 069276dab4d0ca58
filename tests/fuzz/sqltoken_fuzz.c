/*
 * SQLite's tokens, their normal form, and CREATE statements taken apart. Nothing crashes; the
 * normal form of a normal form is itself; every statement has entries, and they can be written.
 */
#include <stdlib.h>
#include <string.h>

#include "database/sqlite/create_index.h"
#include "sql/token.h"

static void normal(rb_buf *out, const char *sql, size_t len, const rb_strs *columns)
{
    rb_tokens tokens;
    rb_tokens_read(&tokens, sql, len);
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

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size > 65536)
        return 0;
    RB_AUTO(rb_free_str) char *sql = rb_strndup((const char *)data, size);
    check_normal(sql, size);
    check_entries(sql);
    rb_ddl ddl;
    rb_ddl_read(&ddl, sql, size);
    rb_ddl_clear(&ddl);
    return 0;
}
