/* References: what was put back without its parent goes again. */
#include "database/sqlite/restore.h"

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

/* Only where there are references, and rows that can be told. */
static enum rb_code can_be_orphans(bool *out, const rb_putback *p, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(p->twin.table);
    int64_t found;
    RB_TRY(rb_sqlite_int(&found, p->twin.db,
                         rb_format("SELECT EXISTS (SELECT 1 FROM pragma_foreign_key_list(%s,"
                                   " 'main')) AND (SELECT wr = 0 AND type = 'table' FROM"
                                   " pragma_table_list(%s) WHERE schema = 'main')",
                                   table, table),
                         err));
    *out = found != 0;
    return RB_OK;
}

enum rb_code rb_orphans_keep(rb_putback *p, const rb_strs *columns, const char *condition,
                             rb_err *err)
{
    size_t at = json_array_size(p->report) - 1;
    bool wanted;
    RB_TRY(can_be_orphans(&wanted, p, err));
    if (!wanted)
        return RB_OK;
    RB_AUTO(rb_free_str) char *names = rb_twin_spread(columns, "@", ", ");
    RB_AUTO(rb_free_str) char *values = rb_twin_spread(columns, "h.@", ", ");
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&p->twin.key, "h.@ = t.@", " AND ");
    RB_TRY(rb_sqlite_run(p->twin.db,
                         rb_format("CREATE TEMP TABLE rbtool_made_%zu(rbtool_row INTEGER PRIMARY"
                                   " KEY, %s)",
                                   at, names),
                         NULL, NULL, err));
    RB_TRY(rb_sqlite_run(p->twin.db,
                         rb_format("INSERT OR IGNORE INTO temp.rbtool_made_%zu SELECT h.rowid, %s"
                                   " FROM %s h JOIN %s t ON %s WHERE %s",
                                   at, values, p->twin.here, p->twin.there, same, condition),
                         NULL, NULL, err));
    for (size_t i = 0; i < columns->n; i++)
        rb_strs_add(&p->orphans[at].kept, columns->items[i]);
    return RB_OK;
}

/* What the scripts had made of the row, if that was overwritten. */
static enum rb_code make_again(int64_t *changed, rb_putback *p, size_t at, const char *table,
                               const char *rowid, rb_err *err)
{
    const rb_strs *kept = &p->orphans[at].kept;
    *changed = 0;
    if (kept->n == 0)
        return RB_OK;
    RB_AUTO(rb_free_str) char *names = rb_twin_spread(kept, "@", ", ");
    RB_AUTO(rb_free_str)
    char *from = rb_format("FROM temp.rbtool_made_%zu WHERE rbtool_row = %s", at, rowid);
    RB_TRY(rb_sqlite_run(p->twin.db,
                         rb_format("UPDATE OR IGNORE main.%s SET (%s) = (SELECT %s %s) WHERE rowid"
                                   " = %s AND EXISTS (SELECT 1 %s)",
                                   table, names, names, from, rowid, from),
                         NULL, NULL, err));
    *changed = rb_sqlite_changes(p->twin.db);
    return RB_OK;
}

static enum rb_code drop_orphan(rb_putback *p, size_t at, const char *rowid, rb_err *err)
{
    json_t *entry = json_array_get(p->report, at);
    const char *table = rb_json_str(entry, "table");
    const char *column = rb_json_str(entry, "column");
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(table);
    RB_AUTO(rb_free_str) char *name = column ? rb_sqlite_name(column) : NULL;
    RB_AUTO(rb_free_str) char *fallback = NULL;
    p->twin.table = table;
    if (column)
        RB_TRY(rb_putback_default(&fallback, p, "main", column, err));
    int64_t changed;
    RB_TRY(make_again(&changed, p, at, quoted, rowid, err));
    if (changed == 0) {
        char *sql = column ? rb_format("UPDATE main.%s SET %s = (%s) WHERE rowid = %s", quoted,
                                       name, fallback, rowid)
                           : rb_format("DELETE FROM main.%s WHERE rowid = %s", quoted, rowid);
        RB_TRY(rb_sqlite_run(p->twin.db, sql, NULL, NULL, err));
        changed = rb_sqlite_changes(p->twin.db);
    }
    rb_putback_count(entry, "restored", -changed);
    rb_putback_count(entry, "missingCount", changed);
    json_t *list = json_object_get(entry, "missing");
    if (changed && json_array_size(list) < RB_SHOWN_KEYS)
        json_array_append_new(list, json_integer(strtoll(rowid, NULL, 10)));
    rb_putback_reason(entry, "the rows that they refer to are gone");
    return RB_OK;
}

/* Of one entry; each row once. */
static enum rb_code drop_those_of(bool *dropped, rb_putback *p, size_t at, rb_err *err)
{
    rb_orphans *o = &p->orphans[at];
    const json_t *entry = json_array_get(p->report, at);
    if (rb_json_int(entry, "restored", 0) <= 0)
        return RB_OK;
    rb_strs_clear(&o->rowids);
    RB_TRY(rb_orphans_find(o, p->twin.db, rb_json_str(entry, "table"), false, err));
    for (size_t k = 0; k < o->rowids.n; k++) {
        RB_TRY(drop_orphan(p, at, o->rowids.items[k], err));
        *dropped |= rb_keyset_add(&o->known, (uint64_t)strtoll(o->rowids.items[k], NULL, 10));
    }
    return RB_OK;
}

/* A row that goes may be another's parent. */
enum rb_code rb_orphans_drop(rb_putback *p, rb_err *err)
{
    size_t n = json_array_size(p->report);
    bool dropped = true;
    while (dropped) {
        dropped = false;
        for (size_t i = 0; i < n; i++)
            RB_TRY(drop_those_of(&dropped, p, i, err));
    }
    for (size_t i = 0; i < n; i++) {
        if (p->orphans[i].kept.n > 0)
            RB_TRY(rb_sqlite_run(p->twin.db,
                                 rb_format("DROP TABLE IF EXISTS temp.rbtool_made_%zu", i), NULL,
                                 NULL, err));
    }
    return RB_OK;
}
