#include "database/applied.h"

#include <stdlib.h>
#include <string.h>

#include "database/driver.h"
#include "database/tracking.h"

void rb_applied_clear(rb_applied *applied)
{
    rb_strs_clear(&applied->ids);
    rb_strs_clear(&applied->disagree);
    free(applied->tracking);
    *applied = (rb_applied){0};
}

static enum rb_code has_table(bool *out, rb_db *db, const char *name, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *tables = NULL;
    RB_TRY(db->driver->tables(&tables, db, err));
    *out = json_object_get(tables, name) != NULL;
    return RB_OK;
}

enum rb_code rb_applied_own(rb_strs *out, bool *there, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(has_table(there, db, "rbtool_applied", err));
    if (!*there)
        return RB_OK;
    RB_TRY(rb_db_query(&rows, db, "SELECT id FROM rbtool_applied ORDER BY sequence", NULL, err));
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *id = json_string_value(json_array_get(row, 0));
        if (id)
            rb_strs_add(out, id);
    }
    return RB_OK;
}

static void add_missing(rb_strs *out, const rb_strs *from, const rb_strs *in)
{
    for (size_t i = 0; i < from->n; i++)
        if (!rb_strs_has(in, from->items[i]))
            rb_strs_add(out, from->items[i]);
}

static void copy_strs(rb_strs *out, const rb_strs *from)
{
    for (size_t i = 0; i < from->n; i++)
        rb_strs_add(out, from->items[i]);
}

static enum rb_code read_applied(rb_applied *out, rb_db *db, const rb_migrations *set,
                                 const char *wanted, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs own = {0};
    RB_AUTO(rb_strs_clear) rb_strs theirs = {0};
    const char *tool;
    bool has_own;
    RB_TRY(rb_tracking_find(&tool, db, wanted, set->layout, err));
    RB_TRY(rb_applied_own(&own, &has_own, db, err));
    out->tracking = rb_strdup(tool);
    if (tool[0])
        RB_TRY(rb_tracking_read(&theirs, &out->dirty, db, tool, set, err));
    if (has_own && tool[0]) {
        add_missing(&out->disagree, &own, &theirs);
        add_missing(&out->disagree, &theirs, &own);
    }
    /* Ours knows the order of application; theirs is what the user's tool goes by. */
    bool use_own = has_own && (!tool[0] || out->disagree.n == 0);
    copy_strs(&out->ids, use_own ? &own : &theirs);
    return RB_OK;
}

enum rb_code rb_db_applied(rb_applied *out, rb_db *db, const rb_migrations *set,
                           const char *tracking, rb_err *err)
{
    *out = (rb_applied){0};
    enum rb_code code = read_applied(out, db, set, tracking, err);
    if (code != RB_OK)
        rb_applied_clear(out);
    return code;
}

static enum rb_code insert(rb_db *db, const rb_migration *migration, const char *id,
                           const char *release, rb_err *err)
{
    RB_AUTO(rb_json_freep)
    json_t *params =
        json_pack("[s, s?, s?]", id,
                  migration && migration->up.present ? migration->up.sha256 : NULL, release);
    return rb_db_exec(
        db,
        "INSERT INTO rbtool_applied (sequence, id, up_sha256, release, applied_at)"
        " VALUES ((SELECT coalesce(max(sequence), 0) + 1 FROM rbtool_applied), $1, $2,"
        " $3, CURRENT_TIMESTAMP)",
        params, err);
}

enum rb_code rb_applied_prepare(rb_strs *now, rb_db *db, const rb_strs *applied,
                                const rb_migrations *order, rb_err *err)
{
    bool there;
    RB_TRY(rb_applied_own(now, &there, db, err));
    if (!there)
        RB_TRY(rb_db_exec(db,
                          "CREATE TABLE rbtool_applied (sequence INTEGER PRIMARY KEY,"
                          " id TEXT NOT NULL UNIQUE, up_sha256 TEXT, release TEXT,"
                          " applied_at TEXT NOT NULL)",
                          NULL, err));
    if (!applied)
        return RB_OK;
    bool same = now->n == applied->n;
    for (size_t i = 0; same && i < now->n; i++)
        same = strcmp(now->items[i], applied->items[i]) == 0;
    if (same)
        return RB_OK;
    RB_TRY(rb_db_exec(db, "DELETE FROM rbtool_applied", NULL, err));
    rb_strs_clear(now);
    for (size_t i = 0; i < applied->n; i++) {
        const char *id = applied->items[i];
        RB_TRY(insert(db, order ? rb_migrations_find(order, id) : NULL, id, NULL, err));
        rb_strs_add(now, id);
    }
    return RB_OK;
}

static void drop_str(rb_strs *strs, const char *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < strs->n; i++) {
        if (strcmp(strs->items[i], s) == 0)
            free(strs->items[i]);
        else
            strs->items[kept++] = strs->items[i];
    }
    strs->n = kept;
}

enum rb_code rb_applied_note(rb_db *db, const rb_db_step *step, rb_strs *now, rb_err *err)
{
    const char *id = step->migration->id;
    if (step->up) {
        rb_strs_add(now, id);
        return insert(db, step->migration, id, step->release, err);
    }
    drop_str(now, id);
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", id);
    return rb_db_exec(db, "DELETE FROM rbtool_applied WHERE id = $1", params, err);
}
