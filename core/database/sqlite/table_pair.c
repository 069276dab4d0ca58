/* Tables that are here and in a copy: columns and keys that both have. */
#include "database/sqlite/table_pair.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/anchor.h"
#include "base/file.h"

#define ATTACHED_LIMIT 10 /* SQLite's own, as built */

void rb_twin_clear(rb_twin *twin)
{
    free(twin->here);
    free(twin->there);
    twin->here = twin->there = NULL;
    rb_strs_clear(&twin->columns);
    rb_strs_clear(&twin->key);
}

char *rb_twin_spread(const rb_strs *names, const char *pattern, const char *between)
{
    rb_buf out = {0};
    for (size_t i = 0; i < names->n; i++) {
        if (i)
            rb_buf_puts(&out, between);
        for (const char *p = pattern; *p; p++) {
            if (*p == '@')
                rb_buf_puts(&out, names->items[i]);
            else
                rb_buf_addc(&out, *p);
        }
    }
    return rb_buf_detach(&out);
}

static enum rb_code find_columns(rb_twin *t, const char *was, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(t->table);
    RB_AUTO(rb_free_str) char *there = rb_sqlite_text(was);
    int64_t is_virtual;
    RB_TRY(rb_sqlite_run(
        t->db,
        rb_format("SELECT h.name FROM pragma_table_xinfo(%s, 'main') h JOIN pragma_table_xinfo(%s,"
                  " '%s') t ON t.name = h.name COLLATE NOCASE WHERE h.hidden = 0 ORDER BY h.cid",
                  table, there, t->copy),
        rb_sqlite_add_quoted, &t->columns, err));
    RB_TRY(
        rb_sqlite_int(&is_virtual, t->db,
                      rb_format("SELECT sql LIKE 'create virtual%%' FROM main.sqlite_schema WHERE"
                                " type = 'table' AND name = %s COLLATE NOCASE",
                                table),
                      err));
    t->is_virtual = is_virtual != 0;
    return RB_OK;
}

/* A key counts when both sides have its columns. */
static bool usable(const rb_twin *t, const rb_strs *key)
{
    for (size_t i = 0; i < key->n; i++)
        if (!rb_strs_has(&t->columns, key->items[i]))
            return false;
    return key->n > 0;
}

static enum rb_code find_key(rb_twin *t, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(t->table);
    RB_TRY(rb_sqlite_run(t->db,
                         rb_format("SELECT name FROM pragma_table_xinfo(%s, 'main') WHERE pk > 0"
                                   " ORDER BY pk",
                                   table),
                         rb_sqlite_add_quoted, &t->key, err));
    if (usable(t, &t->key))
        return RB_OK;
    RB_AUTO(rb_strs_clear) rb_strs indexes = {0};
    RB_TRY(rb_sqlite_run(
        t->db,
        rb_format(
            "SELECT name FROM pragma_index_list(%s, 'main') l WHERE \"unique\" AND NOT partial"
            " AND NOT EXISTS (SELECT 1 FROM pragma_index_info(l.name, 'main') i LEFT JOIN"
            " pragma_table_xinfo(%s, 'main') x ON x.name = i.name WHERE x.\"notnull\" IS NOT"
            " 1) ORDER BY seq",
            table, table),
        rb_sqlite_add_text, &indexes, err));
    for (size_t i = 0; i < indexes.n; i++) {
        RB_AUTO(rb_free_str) char *index = rb_sqlite_text(indexes.items[i]);
        rb_strs_clear(&t->key);
        RB_TRY(rb_sqlite_run(t->db,
                             rb_format("SELECT name FROM pragma_index_info(%s, 'main')", index),
                             rb_sqlite_add_quoted, &t->key, err));
        if (usable(t, &t->key))
            return RB_OK;
    }
    rb_strs_clear(&t->key);
    return RB_OK;
}

enum rb_code rb_twin_find(rb_twin *twin, const char *table, const char *was, rb_err *err)
{
    RB_AUTO(rb_free_str) char *here = rb_sqlite_name(table);
    RB_AUTO(rb_free_str) char *there = rb_sqlite_name(was);
    twin->table = table;
    twin->here = rb_format("main.%s", here);
    twin->there = rb_format("%s.%s", twin->copy, there);
    RB_TRY(find_columns(twin, was, err));
    return find_key(twin, err);
}

char *rb_gone_table(const char *table)
{
    return rb_format("rbtool_gone %s", table);
}

static char *uri_of(const char *path)
{
    rb_buf out = {0};
    rb_buf_puts(&out, "file:");
    for (const char *p = path; *p; p++) {
        bool plain = isalnum((unsigned char)*p) || strchr("/._-", *p);
        rb_buf_printf(&out, plain ? "%c" : "%%%02X", (unsigned char)*p);
    }
    rb_buf_puts(&out, "?mode=ro&immutable=1");
    return rb_buf_detach(&out);
}

static enum rb_code count_attached(int64_t *out, rb_sqlite *db, rb_err *err)
{
    return rb_sqlite_int(out, db,
                         rb_strdup("SELECT count(*) FROM pragma_database_list WHERE seq > 1"), err);
}

enum rb_code rb_sqlite_attachable(bool *out, rb_sqlite *db, rb_err *err)
{
    int64_t attached;
    RB_TRY(count_attached(&attached, db, err));
    *out = attached < ATTACHED_LIMIT;
    return RB_OK;
}

enum rb_code rb_sqlite_attach(char **name, rb_sqlite *db, const char *copy, rb_err *err)
{
    int64_t attached;
    if (!rb_file_exists(copy))
        return rb_fail(err, RB_ERROR, "the copy to put data back from, %s, is gone", copy);
    RB_TRY(count_attached(&attached, db, err));
    RB_AUTO(rb_free_str) char *alias = rb_format("rbtool_copy_%lld", (long long)attached);
    RB_AUTO(rb_free_str) char *resolved = rb_anchor_name(copy);
    RB_AUTO(rb_free_str) char *uri = uri_of(resolved);
    RB_AUTO(rb_free_str) char *literal = rb_sqlite_text(uri);
    RB_TRY(rb_sqlite_run(db, rb_format("ATTACH %s AS %s", literal, alias), NULL, NULL, err));
    *name = alias;
    alias = NULL;
    return RB_OK;
}
