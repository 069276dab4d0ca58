#include "transition/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "release/reconstruct.h"
#include "transition/plan.h"

struct writer {
    const char *root; /* folder of the bundle */
    const char *database;
    const rb_migrations *from;
    json_t *scripts;
    rb_manual_sql sql;
    rb_db_step *steps;
    size_t n;
};

static void add_step(struct writer *w, const rb_migration *m, bool up)
{
    w->steps = rb_grow(w->steps, w->n, sizeof *w->steps);
    w->steps[w->n++] = (rb_db_step){.migration = m, .up = up};
}

static const rb_migration *find(const rb_migrations *set, const char *id)
{
    return set ? rb_migrations_find(set, id) : NULL;
}

static enum rb_code find_steps(struct writer *w, const rb_migrations *to,
                               const rb_migrations *overrides, const char *from_tag, rb_err *err)
{
    for (size_t i = w->from ? w->from->n : 0; i > 0; i--) {
        const char *id = w->from->items[i - 1].id;
        const rb_migration *m = find(overrides, id);
        if (find(to, id))
            continue;
        if (!m || !m->down.present)
            m = &w->from->items[i - 1];
        if (!m->down.present || m->code)
            return rb_fail(
                err, RB_DECIDE,
                "database %s: migration %s of %s cannot be undone: it %s\nname a release "
                "that has an override script with --scripts-from TAG",
                w->database, id, from_tag, m->code ? "is program code" : "has no down script");
        add_step(w, m, false);
    }
    for (size_t i = 0; to && i < to->n; i++)
        if (!find(w->from, to->items[i].id) && !to->items[i].code)
            add_step(w, &to->items[i], true);
    return RB_OK;
}

/* Returns the migration that is the last applied one after the step; NULL: none. */
static const char *last_after(const struct writer *w, const rb_db_step *step)
{
    const char *last = NULL;
    if (step->up)
        return step->migration->id;
    for (size_t i = 0; strcmp(w->from->items[i].id, step->migration->id) != 0; i++)
        last = w->from->items[i].id;
    return last;
}

static enum rb_code add_script(struct writer *w, size_t index, rb_err *err)
{
    const rb_db_step *step = &w->steps[index];
    const rb_migration *m = step->migration;
    const rb_script *script = step->up ? &m->up : &m->down;
    const char *direction = step->up ? "up" : "down";
    RB_AUTO(rb_free_str)
    char *path = rb_format("scripts/%s/%03zu-%s-%s.sql", w->database, index + 1, direction, m->id);
    RB_AUTO(rb_free_str) char *full = rb_path_join(w->root, path);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(full);
    if (!rb_path_is_safe(path, strlen(path)))
        return rb_fail(err, RB_FOUND, "cannot write %s: it is not a safe path", path);
    RB_TRY(rb_dir_make(dir, err));
    RB_TRY(rb_file_write(full, script->text, script->len, 0644, err));
    RB_TRY(rb_manual_add(&w->sql, m, step->up, last_after(w, step), err));
    json_array_append_new(w->scripts, rb_json_make("id:s direction:s path:s sha256:s", m->id,
                                                   direction, path, script->sha256));
    return RB_OK;
}

/* Adds the scripts in the segments of a transition. Where there are several, or a script that runs
 * outside of a transaction, each other segment is a transaction of its own. */
static enum rb_code add_segments(struct writer *w, rb_err *err)
{
    rb_db_segment segment;
    rb_db_segments(w->steps, w->n, w->sql.engine);
    w->sql.apart = rb_db_segment_count(w->steps, w->n) > 1 || (w->n > 0 && w->steps[0].alone);
    for (size_t n = 0; rb_db_segment_at(&segment, w->steps, w->n, n); n++) {
        const bool own = w->sql.apart && !segment.alone;
        rb_buf_puts(&w->sql.scripts, own ? "BEGIN;\n" : "");
        for (size_t i = segment.from; i < segment.to; i++)
            RB_TRY(add_script(w, i, err));
        rb_buf_puts(&w->sql.scripts, own ? "COMMIT;\n" : "");
    }
    return RB_OK;
}

static enum rb_code read_set(rb_migrations **out, const rb_release *release, rb_repo *repo,
                             const char *database, rb_err *err)
{
    const rb_manifest_database *d =
        release ? rb_manifest_database_find(release->manifest, database) : NULL;
    return d ? rb_release_migrations(out, release, repo, d, err) : RB_OK;
}

static enum rb_code add_database(json_t *databases, json_t *manual, const char *root,
                                 const char *name, const rb_release *from, const rb_release *to,
                                 const rb_release *overrides, rb_repo *repo, rb_err *err)
{
    RB_AUTO(rb_migrations_freep) rb_migrations *from_set = NULL;
    RB_AUTO(rb_migrations_freep) rb_migrations *to_set = NULL;
    RB_AUTO(rb_migrations_freep) rb_migrations *override_set = NULL;
    RB_TRY(read_set(&from_set, from, repo, name, err));
    RB_TRY(read_set(&to_set, to, repo, name, err));
    RB_TRY(read_set(&override_set, overrides, repo, name, err));
    RB_AUTO(rb_json_freep) json_t *scripts = json_array();
    const rb_release *has = to_set ? to : from;
    const rb_manifest_database *d = rb_manifest_database_find(has->manifest, name);
    struct writer w = {.root = root,
                       .database = name,
                       .from = from_set,
                       .scripts = scripts,
                       .sql = {.engine = d->engine, .layout = d->layout, .release = to->tag}};
    enum rb_code code = find_steps(&w, to_set, override_set, from->tag, err);
    if (code == RB_OK)
        code = add_segments(&w, err);
    free(w.steps);
    if (code == RB_OK)
        code = rb_manual_write(&w.sql, root, name, err);
    json_array_append_new(databases, rb_json_make("name:s scripts:J", name, scripts));
    json_array_append_new(manual, rb_json_make("name:s engine:s table:s apart:b scripts:n", name,
                                               d->engine, w.sql.table, w.sql.apart, w.n));
    rb_manual_clear(&w.sql);
    return code;
}

enum rb_code rb_bundle_write(json_t **document, const rb_release *from, const rb_release *to,
                             const rb_release *overrides, const char *rule, const rb_env *env,
                             rb_repo *repo, const char *dir, rb_err *err)
{
    RB_AUTO(rb_reconstruct_freep) rb_reconstruct *work = NULL;
    RB_AUTO(rb_json_freep) json_t *release = NULL;
    RB_TRY(rb_reconstruct_begin(&work, dir, err));
    RB_TRY(rb_reconstruct_release(&release, work, to, repo, err));
    RB_AUTO(rb_json_freep) json_t *databases = json_array();
    RB_AUTO(rb_json_freep) json_t *manual = json_array();
    const char *root = rb_reconstruct_path(work);
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    rb_plan_database_names(&names, from, to);
    for (size_t i = 0; i < names.n; i++)
        RB_TRY(
            add_database(databases, manual, root, names.items[i], from, to, overrides, repo, err));
    RB_AUTO(rb_json_freep)
    json_t *plan = rb_json_make("from:s to:s rule:s databases:J artifacts:J", from->tag, to->tag,
                                rule, databases, json_object_get(release, "artifacts"));
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_free_str) char *path = rb_path_join(root, "plan.json");
    rb_json_pretty(&text, plan);
    RB_TRY(rb_file_write(path, text.data, text.len, 0644, err));
    RB_TRY(rb_manual_finish(root, from, to, manual, env, err));
    RB_TRY(rb_reconstruct_finish(work, err));
    *document = RB_TAKE(plan);
    return RB_OK;
}
