#include "transition/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "release/reconstruct.h"
#include "transition/plan.h"

struct writer {
    const char *root; /* folder of the bundle */
    const char *database;
    json_t *scripts;
    rb_manual_sql sql;
    rb_db_step *steps;
    size_t n;
};

static enum rb_code add_script(struct writer *w, const rb_migration *m, bool up, const char *last,
                               rb_err *err)
{
    const rb_script *script = up ? &m->up : &m->down;
    w->steps = rb_grow(w->steps, w->n, sizeof *w->steps);
    w->steps[w->n] = (rb_db_step){.migration = m, .up = up};
    RB_AUTO(rb_free_str)
    char *path =
        rb_format("scripts/%s/%03zu-%s-%s.sql", w->database, ++w->n, up ? "up" : "down", m->id);
    RB_AUTO(rb_free_str) char *full = rb_path_join(w->root, path);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(full);
    if (!rb_path_is_safe(path, strlen(path)))
        return rb_fail(err, RB_FOUND, "cannot write %s: it is not a safe path", path);
    RB_TRY(rb_dir_make(dir, err));
    RB_TRY(rb_file_write(full, script->text, script->len, 0644, err));
    RB_TRY(rb_manual_add(&w->sql, m, up, last, err));
    json_array_append_new(w->scripts, rb_json_make("id:s direction:s path:s sha256:s", m->id,
                                                   up ? "up" : "down", path, script->sha256));
    return RB_OK;
}

static const rb_migration *find(const rb_migrations *set, const char *id)
{
    return set ? rb_migrations_find(set, id) : NULL;
}

static enum rb_code add_scripts(struct writer *w, const rb_migrations *from,
                                const rb_migrations *to, const rb_migrations *overrides,
                                const char *from_tag, rb_err *err)
{
    for (size_t i = from ? from->n : 0; i > 0; i--) {
        const char *id = from->items[i - 1].id;
        const rb_migration *m = find(overrides, id);
        if (find(to, id))
            continue;
        if (!m || !m->down.present)
            m = &from->items[i - 1];
        if (!m->down.present || m->code)
            return rb_fail(
                err, RB_DECIDE,
                "database %s: migration %s of %s cannot be undone: it %s\nname a release "
                "that has an override script with --scripts-from TAG",
                w->database, id, from_tag, m->code ? "is program code" : "has no down script");
        RB_TRY(add_script(w, m, false, i > 1 ? from->items[i - 2].id : NULL, err));
    }
    for (size_t i = 0; to && i < to->n; i++)
        if (!find(from, to->items[i].id) && !to->items[i].code)
            RB_TRY(add_script(w, &to->items[i], true, to->items[i].id, err));
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
                       .scripts = scripts,
                       .sql = {.engine = d->engine, .layout = d->layout, .release = to->tag}};
    enum rb_code code = add_scripts(&w, from_set, to_set, override_set, from->tag, err);
    rb_db_segments(w.steps, w.n, d->engine);
    for (size_t i = 0; i < w.n; i++)
        w.sql.apart |= w.steps[i].border;
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
