/*
 * Stores a plan in the journal and reads it back. The row's own JSON has what is shown of a plan.
 * The row's data has what carrying it out needs besides, until the transition has ended:
 *
 * {"files": [{"part","path","had","held","brings","source","fresh","mode"}], "databases": [{"name",
 * "tracking","expected","leaving","residual","atRisk","bound","backedUp","places","unproven",
 * "proofs","rehearsed","steps": [{"id","set","up","sha256","was"}]}]}
 *
 * Paths of the host and urls are bytes (rb_json_set_bytes). "set" is the release of a step's
 * migration: "from", "to" or "overrides". Its script is read from that release, which is verified
 * again, and must have the SHA-256 that was planned.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "database/url.h"
#include "transition/database_step.h"
#include "transition/parts.h"
#include "transition/plan_make.h"
#include "transition/segments.h"

static json_t *write_file(const rb_host_file *file)
{
    json_t *json = rb_json_make("part:s", rb_part_name(file->part));
    rb_json_set_bytes(json, "path", file->path);
    rb_json_set(json, "had:s held:s brings:s source:s fresh:i mode:i", file->had, file->held,
                file->brings, file->source, (int64_t)file->fresh, (int64_t)file->mode);
    return json;
}

static bool is_of(const rb_migrations *set, const rb_migration *migration)
{
    return set && rb_migrations_find(set, migration->id) == migration;
}

static json_t *write_step(const rb_plan_database *d, const rb_db_step *step)
{
    const rb_migration *m = step->migration;
    return rb_json_make("id:s set:s up:b sha256:s was:s", m->id,
                        is_of(d->to_set, m)     ? "to"
                        : is_of(d->from_set, m) ? "from"
                                                : "overrides",
                        step->up, step->up ? m->up.sha256 : m->down.sha256,
                        step->was ? step->was->id : NULL);
}

/* Members of a database that are stored as they are. */
static const struct stored {
    const char *key;
    size_t at;
} stored[] = {{"expected", offsetof(rb_plan_database, expected)},
              {"leaving", offsetof(rb_plan_database, leaving)},
              {"residual", offsetof(rb_plan_database, residual)},
              {"atRisk", offsetof(rb_plan_database, at_risk)},
              {"bound", offsetof(rb_plan_database, bound)},
              {"backedUp", offsetof(rb_plan_database, backed_up)},
              {"places", offsetof(rb_plan_database, places)},
              {"unproven", offsetof(rb_plan_database, unproven)},
              {"proofs", offsetof(rb_plan_database, step_proofs)}};

static json_t **member(rb_plan_database *d, const struct stored *of)
{
    return (json_t **)(void *)((char *)d + of->at);
}

static json_t *write_database(rb_plan_database *d)
{
    json_t *json = json_object();
    json_t *steps = json_array();
    rb_json_set(json, "name:s tracking:s rehearsed:b", d->name, d->tracking, d->rehearsed);
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++)
        json_object_set(json, stored[i].key, *member(d, &stored[i]));
    if (d->unproven_steps > 0)
        json_object_del(json, "unproven");
    if (!d->proven)
        json_object_del(json, "proofs");
    for (size_t i = 0; i < d->step_count; i++)
        json_array_append_new(steps, write_step(d, &d->steps[i]));
    json_object_set_new(json, "steps", steps);
    return json;
}

json_t *rb_plan_data(const rb_plan *plan)
{
    json_t *files = json_array();
    json_t *databases = json_array();
    for (size_t i = 0; i < plan->file_count; i++)
        json_array_append_new(files, write_file(&plan->files[i]));
    for (size_t i = 0; i < plan->database_count; i++)
        json_array_append_new(databases, write_database(&plan->databases[i]));
    return rb_json_make("files:j databases:j", files, databases);
}

static void read_file(rb_plan *plan, const json_t *json)
{
    plan->files = rb_realloc(plan->files, plan->file_count + 1, sizeof *plan->files);
    rb_host_file *file = &plan->files[plan->file_count++];
    *file = (rb_host_file){
        .part = rb_text_same(rb_json_str(json, "part"), "flags") ? RB_PART_FLAGS : RB_PART_CONFIG,
        .path = rb_json_bytes(json, "path"),
        .had = rb_strdup(rb_json_str(json, "had")),
        .held = rb_strdup(rb_json_str(json, "held")),
        .brings = rb_strdup(rb_json_str(json, "brings")),
        .source = rb_strdup(rb_json_str(json, "source")),
        .fresh = (int)(rb_json_int(json, "fresh", 0600) & 0777),
        .mode = (int)(rb_json_int(json, "mode", 0) & 07777)};
}

static enum rb_code damaged(const rb_plan *plan, const rb_plan_database *d, const char *what,
                            rb_err *err)
{
    return rb_fail(err, RB_HALFWAY,
                   "the plan of transition %s in the journal is damaged: database %s: %s; nothing "
                   "was changed\nrestore a copy of the journal, or move it away",
                   plan->id, d->name, what);
}

static enum rb_code read_step(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq,
                              const json_t *json, rb_err *err)
{
    const char *id = rb_json_str(json, "id");
    const char *name = rb_json_str(json, "set");
    const char *was = rb_json_str(json, "was");
    const bool up = json_is_true(json_object_get(json, "up"));
    const rb_migrations *set = rb_text_same(name, "to")     ? d->to_set
                               : rb_text_same(name, "from") ? d->from_set
                                                            : d->override_set;
    const rb_migration *m = set ? rb_migrations_find(set, id) : NULL;
    const rb_script *script = m ? up ? &m->up : &m->down : NULL;
    if (!script || !script->present || !rb_text_same(script->sha256, rb_json_str(json, "sha256")))
        return damaged(plan, d, "its scripts are not those of the releases", err);
    rb_db_step *step = &d->steps[d->step_count++];
    *step = (rb_db_step){.migration = m, .up = up, .release = rq->to->tag};
    step->was = was && d->from_set ? rb_migrations_find(d->from_set, was) : NULL;
    return was && !step->was ? damaged(plan, d, "a migration's earlier id is unknown", err) : RB_OK;
}

/* True if a catalog is the expected one, ignoring the order of columns. */
static bool is_end(const rb_plan_database *d, const json_t *catalog)
{
    RB_AUTO(rb_json_freep) json_t *left = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    if (!d->expected)
        return rb_plan_is_promised(d, catalog);
    rb_catalog_compare(&left, &order, catalog, d->expected);
    return json_array_size(left) == 0;
}

/*
 * Finds out what the database has committed, which only its own journal records. If a person ran
 * the scripts by hand after the interruption, the schema is TO's but the migrations are not
 * recorded: the scripts are then only recorded, not run.
 */
static enum rb_code look_at_database(const rb_plan *plan, rb_plan_database *d, const rb_env *env,
                                     rb_err *err)
{
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    rb_db_target target;
    RB_TRY(rb_db_inspect(&target, d->url, err));
    if (d->create && !target.exists)
        return RB_OK;
    RB_TRY(rb_db_open(&db, d->url, RB_DB_READ, err));
    RB_TRY(rb_databases_await(db, plan->id, env, "resume", err));
    RB_TRY(rb_db_journal_has(&d->committed, db, plan->id, err));
    if (!d->committed)
        RB_TRY(rb_segments_look(d, db, plan->id, err));
    /* The schema alone does not show whether a later segment has run. */
    if (d->committed || !d->leaving || is_end(d, d->leaving) ||
        rb_db_segment_count(d->steps, d->step_count) > 1)
        return RB_OK;
    RB_TRY(rb_db_catalog(&found, db, err));
    if (is_end(d, found))
        for (size_t i = 0; i < d->step_count; i++)
            d->steps[i].noted = true;
    return RB_OK;
}

static enum rb_code read_database(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq,
                                  const json_t *json, rb_err *err)
{
    const rb_manifest_database *from;
    const json_t *steps = json_object_get(json, "steps");
    d->name = rb_strdup(rb_json_str(json, "name"));
    d->url = rb_strdup(rb_env_database(rq->env, d->name));
    if (!d->url)
        return damaged(plan, d, "the environment has no url for it", err);
    d->create =
        json_is_true(json_object_get(rb_plan_before_database(plan->json, d->name), "create"));
    d->tracking = rb_strdup(rb_json_str(json, "tracking"));
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++)
        *member(d, &stored[i]) = json_incref(json_object_get(json, stored[i].key));
    d->unproven_steps = d->unproven ? 0 : json_array_size(steps);
    d->proven = d->step_proofs != NULL;
    d->rehearsed = json_is_true(json_object_get(json, "rehearsed"));
    RB_TRY(rb_plan_database_sets(d, &from, rq, err));
    d->steps = rb_calloc(json_array_size(steps) + 1, sizeof *d->steps);
    rb_json_each (item, steps)
        RB_TRY(read_step(plan, d, rq, item, err));
    rb_db_segments(d->steps, d->step_count, rb_url_engine(d->url, NULL));
    rb_plan_inverse(d, rq);
    return look_at_database(plan, d, rq->env, err);
}

enum rb_code rb_plan_read(rb_plan **out, const rb_transition_row *row, const json_t *data,
                          const rb_plan_request *request, rb_err *err)
{
    RB_AUTO(rb_plan_freep) rb_plan *plan = rb_calloc(1, sizeof *plan);
    rb_plan_request at = *request; /* the scripts belong to the release that the databases are at */
    const json_t *databases = json_object_get(data, "databases");
    at.from = rb_parts_from(request, RB_PART_DB);
    plan->kind = rb_strdup(row->kind);
    plan->id = rb_strdup(row->id);
    plan->backups = rb_format("%s/.rbtool/backups", request->env->root);
    plan->json = json_incref(row->plan);
    plan->drift = json_incref(json_object_get(row->plan, "drift"));
    plan->current_before = rb_json_bytes(json_object_get(row->plan, "before"), "current");
    memcpy(plan->parts, request->parts, sizeof plan->parts);
    snprintf(plan->digest, sizeof plan->digest, "%s", rb_json_str(row->plan, "digest"));
    rb_json_each (item, json_object_get(row->plan, "steps")) {
        enum rb_step_kind kind = rb_step_kind_of(rb_json_str(item, "id"));
        if (kind != RB_STEP_KINDS && plan->order_count < RB_STEP_KINDS)
            plan->order[plan->order_count++] = kind;
    }
    rb_json_each (item, json_object_get(data, "files"))
        read_file(plan, item);
    plan->databases = rb_calloc(json_array_size(databases) + 1, sizeof *plan->databases);
    rb_json_each (item, databases) {
        plan->database_count++;
        RB_TRY(read_database(plan, &plan->databases[item_at], &at, item, err));
    }
    *out = plan;
    plan = NULL;
    return RB_OK;
}
