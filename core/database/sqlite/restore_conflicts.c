/* What a copy has and scripts made again, or did not make again. */
#include "database/sqlite/restore.h"
#include "database/sqlite/watch.h"

#include <string.h>

/* Whether it is there as the step leaves it: applied with the same text, or not applied; alike: or
 * applied under the same id, with a text that was mended. */
static enum rb_code agrees(bool *out, bool *alike, const rb_putback *p, const rb_db_step *step,
                           rb_err *err)
{
    RB_AUTO(rb_free_str) char *id = rb_sqlite_text(step->migration->id);
    int64_t text;
    int64_t either;
    RB_TRY(rb_sqlite_int(&text, p->twin.db,
                         rb_format("SELECT EXISTS (SELECT 1 FROM %s.rbtool_applied WHERE up_sha256"
                                   " = '%s')",
                                   p->twin.copy, step->migration->up.sha256),
                         err));
    RB_TRY(rb_sqlite_int(
        &either, p->twin.db,
        rb_format("SELECT %d OR EXISTS (SELECT 1 FROM %s.rbtool_applied WHERE id = %s)", text != 0,
                  p->twin.copy, id),
        err));
    *out = step->up ? text != 0 : either == 0;
    *alike = (either != 0) == step->up;
    return RB_OK;
}

enum rb_code rb_putback_same_scripts(bool *all, bool *some, const rb_putback *p,
                                     const rb_db_work *work, rb_err *err)
{
    int64_t told;
    *all = false;
    *some = true;
    RB_TRY(rb_sqlite_int(&told, p->twin.db,
                         rb_format("SELECT EXISTS (SELECT 1 FROM %s.sqlite_schema WHERE name ="
                                   " 'rbtool_applied')",
                                   p->twin.copy),
                         err));
    if (!told || !work)
        return RB_OK;
    size_t same = 0;
    size_t similar = 0;
    size_t ran = 0;
    for (size_t i = 0; i < work->n; i++) {
        bool agreed;
        bool alike;
        if (work->steps[i].noted || work->steps[i].was)
            continue;
        RB_TRY(agrees(&agreed, &alike, p, &work->steps[i], err));
        same += agreed;
        similar += alike;
        ran++;
    }
    *all = same == ran;
    *some = similar > 0 || ran == 0;
    return RB_OK;
}

char *rb_putback_newer(const rb_putback *p, const json_t *item)
{
    RB_AUTO(rb_strs_clear) rb_strs sources = {0};
    RB_AUTO(rb_strs_clear) rb_strs quoted = {0};
    if (!json_is_true(json_object_get(item, "made")))
        return NULL;
    if (!p->same_scripts || !rb_watch_sources(&sources, rb_sqlite_state_of(p->twin.db)->watch,
                                              p->twin.table, rb_json_str(item, "column")))
        return rb_strdup("0");
    for (size_t i = 0; i < sources.n; i++) {
        rb_strs_take(&quoted, rb_sqlite_name(sources.items[i]));
        if (!rb_strs_has_name(&p->twin.columns, quoted.items[i]))
            return rb_strdup("0");
    }
    return quoted.n ? rb_twin_spread(&quoted, "h.@ IS t.@ COLLATE BINARY", " AND ")
                    : rb_strdup("1");
}

/* Columns that are not here */

static enum rb_code leave_column(rb_putback *p, const json_t *item, const char *column, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(column);
    RB_AUTO(rb_free_str) char *then = NULL;
    RB_AUTO(rb_free_str) char *key = rb_twin_spread(&p->twin.key, "t.@", ", ");
    RB_AUTO(rb_json_freep) json_t *found = json_array();
    json_t *entry = rb_putback_entry(found, p->twin.table, column);
    RB_TRY(rb_putback_default(&then, p, p->twin.copy, column, err));
    RB_TRY(rb_putback_missing(p, entry,
                              rb_format("SELECT %s FROM %s t WHERE t.%s IS NOT (%s)%s%s",
                                        key[0] ? key : "NULL", p->twin.there, name, then,
                                        key[0] ? " ORDER BY " : "", key),
                              "the column is not there", err));
    int64_t values = rb_json_int(entry, "missingCount", 0);
    if (values == 0)
        return RB_OK;
    if (!key[0])
        json_object_set_new(entry, "missing", json_array());
    json_array_append(p->waiting, entry);
    json_t *left = json_object();
    json_object_set(left, "table", json_object_get(entry, "table"));
    json_object_set(left, "column", json_object_get(entry, "column"));
    json_object_set_new(left, "values", json_integer(values));
    if (json_is_true(json_object_get(item, "stays")))
        json_object_set_new(left, "stays", json_true());
    json_array_append_new(p->left, left);
    return RB_OK;
}

enum rb_code rb_putback_leave(rb_putback *p, const json_t *item, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(p->twin.table);
    RB_TRY(
        rb_sqlite_run(p->twin.db,
                      rb_format("SELECT name FROM pragma_table_xinfo(%s, '%s') t WHERE hidden = 0"
                                " AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(%s, 'main') h"
                                " WHERE h.name = t.name COLLATE NOCASE)",
                                table, p->twin.copy, table),
                      rb_sqlite_add_text, &names, err));
    for (size_t i = 0; i < names.n; i++)
        RB_TRY(leave_column(p, item, names.items[i], err));
    return RB_OK;
}
