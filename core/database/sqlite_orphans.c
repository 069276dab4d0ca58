/* References: what was put back without its parent goes again. */
#include "database/sqlite_putback.h"

#include <stdlib.h>

static bool add_orphan(void *context, const rb_cell *cells, size_t n)
{
    rb_orphans *o = context;
    (void)n;
    if (cells[0].kind != RB_CELL_INTEGER)
        return true;
    if (o->collecting)
        (void)rb_keyset_add(&o->known, (uint64_t)cells[0].integer);
    else if (!rb_keyset_has(&o->known, (uint64_t)cells[0].integer))
        rb_strs_take(&o->rowids, rb_format("%lld", (long long)cells[0].integer));
    return true;
}

enum rb_code rb_orphans_find(rb_orphans *o, rb_sqlite *db, const char *table, bool collecting,
                             rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(table);
    int64_t is_there;
    o->collecting = collecting;
    RB_TRY(rb_sqlite_int(&is_there, db,
                         rb_format("SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type ="
                                   " 'table' AND name = %s COLLATE NOCASE)",
                                   name),
                         err));
    if (!is_there)
        return RB_OK;
    return rb_sqlite_run(db, rb_format("SELECT rowid FROM pragma_foreign_key_check(%s)", name),
                         add_orphan, o, err);
}

static enum rb_code drop_orphan(rb_putback *p, json_t *entry, const char *rowid, rb_err *err)
{
    const char *table = rb_json_str(entry, "table");
    const char *column = rb_json_str(entry, "column");
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(table);
    RB_AUTO(rb_free_str) char *name = column ? rb_sqlite_name(column) : NULL;
    RB_AUTO(rb_free_str) char *fallback = NULL;
    p->twin.table = table;
    if (column)
        RB_TRY(rb_putback_default(&fallback, p, "main", column, err));
    char *sql = column ? rb_format("UPDATE main.%s SET %s = (%s) WHERE rowid = %s", quoted, name,
                                   fallback, rowid)
                       : rb_format("DELETE FROM main.%s WHERE rowid = %s", quoted, rowid);
    RB_TRY(rb_sqlite_run(p->twin.db, sql, NULL, NULL, err));
    int64_t changed = rb_sqlite_changes(p->twin.db);
    rb_putback_count(entry, "restored", -changed);
    rb_putback_count(entry, "missingCount", changed);
    json_t *list = json_object_get(entry, "missing");
    if (changed && json_array_size(list) < RB_SHOWN_KEYS)
        json_array_append_new(list, json_integer(strtoll(rowid, NULL, 10)));
    rb_putback_reason(entry, "the rows that they refer to are gone");
    return RB_OK;
}

enum rb_code rb_orphans_drop(rb_putback *p, rb_orphans *before, rb_err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach (p->report, i, entry) {
        if (rb_json_int(entry, "restored", 0) == 0)
            continue;
        rb_orphans *o = &before[i];
        RB_TRY(rb_orphans_find(o, p->twin.db, rb_json_str(entry, "table"), false, err));
        for (size_t k = 0; k < o->rowids.n; k++)
            RB_TRY(drop_orphan(p, entry, o->rowids.items[k], err));
    }
    return RB_OK;
}
