/*
 * Copies tables of a proof into an attached database, as the state before, under names that scripts
 * cannot use.
 */
#include <stdlib.h>
#include <string.h>

#include "database/sqlite/table_compare.h"
#include "database/sqlite/table_read.h"

static enum rb_code keep_table(bool *kept, rb_sqlite *db, const char *name, rb_err *err)
{
    RB_AUTO(rb_table_clear) rb_table t = {0};
    RB_AUTO(rb_free_str) char *own = rb_table_before(db, name);
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(own);
    RB_AUTO(rb_free_str) char *plain = rb_safe(name);
    RB_AUTO(rb_buf_clear) rb_buf columns = {0};
    rb_err ignored;
    *kept = false;
    RB_TRY(rb_table_find(&t, db, "main", plain, err));
    bool holds = t.name && t.n > 0;
    if (holds)
        RB_TRY(rb_table_has_data(&holds, db, &t, err));
    if (!holds)
        return RB_OK;
    for (size_t i = 0; i < t.n; i++)
        rb_buf_printf(&columns, "%s%s", i ? ", " : "", t.columns[i].name);
    const char *rowid = rb_table_rowid(&t, &t);
    RB_TRY(rb_sqlite_run(db, rb_format("DROP TABLE IF EXISTS " RB_SQLITE_BEFORE ".%s", quoted),
                         NULL, NULL, err));
    RB_TRY(
        rb_sqlite_run(db,
                      rb_format("CREATE TABLE " RB_SQLITE_BEFORE ".%s AS SELECT %s FROM %s LIMIT 0",
                                quoted, columns.data, t.quoted),
                      NULL, NULL, err));
    enum rb_code code =
        rb_sqlite_run(db,
                      rb_format("INSERT INTO " RB_SQLITE_BEFORE ".%s(%s%s%s) SELECT %s%s%s FROM %s",
                                quoted, rowid ? rowid : "", rowid ? ", " : "", columns.data,
                                rowid ? rowid : "", rowid ? ", " : "", columns.data, t.quoted),
                      NULL, NULL, t.is_virtual ? &ignored : err);
    *kept = code == RB_OK;
    return t.is_virtual && rb_sqlite_active(db) ? RB_OK : code;
}

enum rb_code rb_sqlite_keep(json_t *kept, rb_db *base, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_strs_clear) rb_strs shadows = {0};
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    if (!state->keeps)
        RB_TRY(rb_sqlite_each(db, "ATTACH '' AS " RB_SQLITE_BEFORE, NULL, NULL, NULL, err));
    state->keeps = state->has_before = true;
    RB_TRY(rb_sqlite_shadows(&shadows, db, err));
    RB_TRY(rb_sqlite_each(db,
                          "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT"
                          " LIKE 'sqlite\\_%' ESCAPE '\\'",
                          NULL, rb_sqlite_add_text, &names, err));
    for (size_t i = 0; i < names.n; i++) {
        bool is_kept;
        if (json_object_get(kept, names.items[i]) || rb_strs_has(&shadows, names.items[i]))
            continue;
        RB_TRY(keep_table(&is_kept, db, names.items[i], err));
        json_object_set_new_nocheck(kept, names.items[i], json_boolean(is_kept));
    }
    return RB_OK;
}
