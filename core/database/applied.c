#include "database/applied.h"

#include <stdlib.h>
#include <string.h>

#include "database/driver.h"
#include "database/tracking.h"

#define AT_ONCE 500 /* parameters of one statement; every engine accepts more */

void rb_applied_clear(rb_applied *applied)
{
    rb_strs_clear(&applied->ids);
    rb_strs_clear(&applied->disagree);
    rb_keys_clear(&applied->index);
    free(applied->tracking);
    *applied = (rb_applied){0};
}

static enum rb_code read_own(rb_strs *out, bool *there, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_db_has_table(there, db, "rbtool_applied", err));
    if (!*there)
        return RB_OK;
    RB_TRY(rb_db_query(&rows, db, "SELECT id FROM rbtool_applied ORDER BY sequence", NULL, err));
    rb_json_each (row, rows) {
        const char *id = json_string_value(json_array_get(row, 0));
        if (id)
            rb_strs_add(out, id);
    }
    return RB_OK;
}

enum rb_code rb_db_recorded(rb_strs *out, rb_db *db, rb_err *err)
{
    bool ignored;
    return read_own(out, &ignored, db, err);
}

static void add_missing(rb_strs *out, const rb_strs *from, const rb_strs *in)
{
    rb_keys index;
    rb_keys_of_names(&index, in);
    for (size_t i = 0; i < from->n; i++)
        if (!rb_keys_has(&index, from->items[i]))
            rb_strs_add(out, from->items[i]);
    rb_keys_clear(&index);
}

static void copy_strs(rb_strs *out, const rb_strs *from)
{
    for (size_t i = 0; i < from->n; i++)
        rb_strs_add(out, from->items[i]);
}

/* Compares rbtool_applied with the tracking table of the user's tool. If they agree, uses
 * rbtool_applied, which alone has the order of application; otherwise the tracking table, which the
 * tool itself uses. */
static enum rb_code settle(rb_applied *out, bool *has_own, rb_db *db, const rb_migrations *set,
                           const char *tool, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs own = {0};
    RB_AUTO(rb_strs_clear) rb_strs theirs = {0};
    RB_TRY(read_own(&own, has_own, db, err));
    if (tool[0])
        RB_TRY(rb_tracking_read(&theirs, &out->dirty, db, tool, set, err));
    if (*has_own && tool[0]) {
        add_missing(&out->disagree, &own, &theirs);
        add_missing(&out->disagree, &theirs, &own);
    }
    bool use_own = *has_own && out->disagree.n == 0;
    copy_strs(&out->ids, use_own ? &own : &theirs);
    rb_keys_of_names(&out->index, &out->ids);
    return RB_OK;
}

static enum rb_code read_applied(rb_applied *out, rb_db *db, const rb_migrations *set,
                                 const char *wanted, rb_err *err)
{
    const char *tool;
    bool has_own;
    RB_TRY(rb_tracking_find(&tool, db, wanted, set->layout, err));
    out->tracking = rb_strdup(tool);
    return settle(out, &has_own, db, set, tool, err);
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

/* Orders ids that are numbers without leading zeros. */
static int by_number(const void *a, const void *b)
{
    const char *x = ((const rb_migration *)a)->id;
    const char *y = ((const rb_migration *)b)->id;
    size_t nx = strlen(x);
    size_t ny = strlen(y);
    return nx != ny ? (nx < ny ? -1 : 1) : strcmp(x, y);
}

static bool goes_up(const rb_db_work *work, const char *id)
{
    for (size_t i = 0; i < work->n + work->more; i++)
        if (work->steps[i].up && strcmp(work->steps[i].migration->id, id) == 0)
            return true;
    return false;
}

/* Lists the migrations that may be applied now; borrowed. Some tools record only their last
 * version, and cannot show gaps before it. So migrations that are about to be applied are left out.
 * golang-migrate orders its versions as numbers. */
static void known_set(rb_migrations *out, const rb_db_work *work)
{
    *out = (rb_migrations){.layout = work->order ? work->order->layout : NULL};
    const size_t steps = work->n + work->more;
    size_t most = (work->order ? work->order->n : 0) + steps;
    out->items = rb_calloc(most + 1, sizeof *out->items);
    for (size_t i = 0; work->order && i < work->order->n; i++)
        if (!goes_up(work, work->order->items[i].id))
            out->items[out->n++] = work->order->items[i];
    size_t before = out->n;
    for (size_t i = 0; i < steps; i++) {
        const rb_db_step *step = &work->steps[i];
        const rb_migration *gone = step->up ? step->was : step->migration;
        if (gone && !rb_migrations_find(out, gone->id))
            out->items[out->n++] = *gone;
    }
    if (out->n > before && strcmp(work->tracking ? work->tracking : "", "golang-migrate") == 0)
        qsort(out->items, out->n, sizeof *out->items, by_number);
}

static enum rb_code rewrite(rb_db *db, const rb_strs *ids, const rb_migrations *set, rb_err *err)
{
    RB_TRY(rb_db_exec(db, "DELETE FROM rbtool_applied", NULL, err));
    for (size_t i = 0; i < ids->n; i++)
        RB_TRY(insert(db, rb_migrations_find(set, ids->items[i]), ids->items[i], NULL, err));
    return RB_OK;
}

enum rb_code rb_applied_prepare(rb_strs *now, rb_db *db, const rb_db_work *work, rb_err *err)
{
    RB_AUTO(rb_applied_clear) rb_applied applied = {0};
    rb_migrations set;
    bool has_own;
    known_set(&set, work);
    enum rb_code code =
        settle(&applied, &has_own, db, &set, work->tracking ? work->tracking : "", err);
    if (code == RB_OK && !has_own)
        code = rb_db_exec(db,
                          "CREATE TABLE rbtool_applied (sequence INTEGER PRIMARY KEY,"
                          " id TEXT NOT NULL UNIQUE, up_sha256 TEXT, release TEXT,"
                          " applied_at TEXT NOT NULL)",
                          NULL, err);
    if (code == RB_OK && (applied.disagree.n > 0 || (!has_own && applied.ids.n > 0)))
        code = rewrite(db, &applied.ids, &set, err);
    free(set.items);
    RB_TRY(code);
    copy_strs(now, &applied.ids);
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

enum rb_code rb_applied_flush(rb_db *db, rb_strs *undone, rb_err *err)
{
    for (size_t done = 0; done < undone->n; done += AT_ONCE) {
        RB_AUTO(rb_json_freep) json_t *params = json_array();
        RB_AUTO(rb_buf_clear) rb_buf sql = {0};
        rb_buf_puts(&sql, "DELETE FROM rbtool_applied WHERE id IN (");
        for (size_t i = 0; i < AT_ONCE && done + i < undone->n; i++) {
            const char *id = undone->items[done + i];
            rb_buf_printf(&sql, "%s$%zu", i ? ", " : "", i + 1);
            if (json_array_append_new(params, json_string(id)) != 0)
                return rb_fail(err, RB_ERROR, "noting migration %s: its id is not valid UTF-8", id);
        }
        rb_buf_addc(&sql, ')');
        RB_TRY(rb_db_exec(db, sql.data, params, err));
    }
    rb_strs_clear(undone);
    return RB_OK;
}

static enum rb_code renumber(rb_db *db, const rb_db_step *step, rb_strs *now, rb_err *err)
{
    for (size_t i = 0; i < now->n; i++)
        if (strcmp(now->items[i], step->was->id) == 0) {
            free(now->items[i]);
            now->items[i] = rb_strdup(step->migration->id);
        }
    RB_AUTO(rb_json_freep)
    json_t *params = json_pack("[s,s?,s]", step->migration->id, step->release, step->was->id);
    return rb_db_exec(db, "UPDATE rbtool_applied SET id = $1, release = $2 WHERE id = $3", params,
                      err);
}

enum rb_code rb_applied_note(rb_db *db, const rb_db_step *step, rb_strs *now, rb_strs *undone,
                             rb_err *err)
{
    const char *id = step->migration->id;
    if (!step->up) {
        drop_str(now, id);
        rb_strs_add(undone, id);
        return RB_OK;
    }
    RB_TRY(rb_applied_flush(db, undone, err));
    if (step->was)
        return renumber(db, step, now, err);
    rb_strs_add(now, id);
    return insert(db, step->migration, id, step->release, err);
}
