/* Databases of a release: read, linted against what was released before, proven in a scratch
 * database. What is found refuses the release unless its rule is accepted. */
#include <stdlib.h>
#include <string.h>

#include "artifact/checkout.h"
#include "base/shape.h"
#include "catalog/name.h"
#include "git/tree.h"
#include "migration/unread.h"
#include "proof/proof.h"
#include "release/make_internal.h"
#include "release/released.h"

#define SEED_LIMIT (64u << 20)   /* bytes */
#define SHOWN 20                 /* differences of one migration that are written out */
#define LAST_SECOND 253402300799 /* of the year 9999, the last that SQLite's dates can name */

/* One database on its way into the manifest. */
struct work {
    rb_making *making;
    const rb_config_database *config;
    rb_manifest_database *out;
    rb_migrations *set;
    rb_carried carried; /* by the previous release */
};

static void work_clear(struct work *work)
{
    rb_migrations_free(work->set);
    rb_carried_clear(&work->carried);
}

/* New is what no environment at the previous release has run, whatever its text says now. */
static bool *mark_new(const struct work *work)
{
    RB_AUTO(rb_json_freep) json_t *known = json_object();
    for (size_t i = 0; i < work->carried.n; i++)
        rb_json_set_str(known, work->carried.items[i].id, NULL);
    bool *is_new = rb_calloc(work->set->n, sizeof *is_new);
    for (size_t i = 0; i < work->set->n; i++)
        is_new[i] = json_object_get(known, work->set->items[i].id) == NULL;
    return is_new;
}

static bool has_finding(const rb_findings *findings, const char *rule, const char *migration)
{
    for (size_t i = 0; i < findings->n; i++)
        if (strcmp(findings->items[i].rule, rule) == 0 &&
            strcmp(findings->items[i].migration, migration) == 0)
            return true;
    return false;
}

/* change: from the state before the up to the state after the down. */
static void add_difference(rb_findings *findings, const rb_migration *m, const char *object,
                           const char *change)
{
    const char *path = m->down.path;
    RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
    if (rb_catalog_name_parse(&name, object) && strcmp(name.kind, "rows") == 0)
        rb_findings_add(findings, "RB002", m->id, path, m->down.line,
                        "its down leaves the rows of %s changed; undo in the down what the up does "
                        "to them",
                        name.name);
    else if (strcmp(change, "added") == 0)
        rb_findings_add(findings, "RB002", m->id, path, m->down.line,
                        "its down leaves %s behind; drop it in the down", object);
    else if (strcmp(change, "removed") == 0)
        rb_findings_add(findings, "RB002", m->id, path, m->down.line,
                        "its down does not bring back %s; recreate it in the down", object);
    else
        rb_findings_add(findings, "RB002", m->id, path, m->down.line,
                        "its down leaves %s changed; restore in the down what it was before",
                        object);
}

static void add_differences(rb_findings *findings, const rb_migration *m, const json_t *proof)
{
    const json_t *list = json_object_get(proof, "differences");
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n && i < SHOWN; i++) {
        const json_t *item = json_array_get(list, i);
        add_difference(findings, m, rb_json_str(item, "object"), rb_json_str(item, "change"));
    }
    if (n > SHOWN)
        rb_findings_add(findings, "RB002", m->id, m->down.path, m->down.line,
                        "its down does not restore %zu more objects", n - SHOWN);
}

static void add_failed(rb_findings *findings, const rb_migration *m, const json_t *proof)
{
    const char *why = rb_json_str(proof, "error");
    rb_findings_add(findings, "RB002", m->id, m->down.path, m->down.line, "its down fails%s%s",
                    why ? ": " : "", why ? why : "");
}

static void add_destroyed(rb_findings *findings, const rb_migration *m, const json_t *proof)
{
    const json_t *list = json_object_get(proof, "destroys");
    if (has_finding(findings, "RB003", m->id))
        return; /* lint names the statement */
    for (size_t i = 0; i < json_array_size(list) && i < SHOWN; i++) {
        const json_t *item = json_array_get(list, i);
        const char *column = rb_json_str(item, "column");
        rb_findings_add(
            findings, "RB003", m->id, m->up.path, m->up.line,
            "its up destroys data of %s%s%s that the down cannot bring back; copy the old %s "
            "into another %s first, and take them from there in the down",
            rb_json_str(item, "table"), column ? "." : "", column ? column : "",
            column ? "values" : "rows", column ? "column" : "table");
    }
}

/* Whether only the id of m is new: its scripts were judged when they were released. */
static bool is_renumbered(const struct work *work, const rb_migration *m)
{
    for (size_t i = 0; i < work->carried.n; i++)
        if (rb_released_has_scripts(m, &work->carried.items[i]) &&
            !rb_migrations_find(work->set, work->carried.items[i].id))
            return true;
    return false;
}

static void judge_proof(const struct work *work, const json_t *json)
{
    rb_findings *findings = &work->making->made->findings;
    size_t i;
    json_t *proof;
    json_array_foreach (json_object_get(json, "migrations"), i, proof) {
        const char *id = rb_json_str(proof, "id");
        const rb_migration *m = id ? rb_migrations_find(work->set, id) : NULL;
        const char *restores = rb_json_str(proof, "restores");
        if (!m || !restores || is_renumbered(work, m))
            continue;
        bool fails = strcmp(restores, "fails") == 0;
        if (fails || strcmp(restores, "differs") == 0)
            add_differences(findings, m, proof);
        if (fails)
            add_failed(findings, m, proof);
        else if ((strcmp(restores, "missing") == 0 || strcmp(restores, "code") == 0) &&
                 !has_finding(findings, "RB001", id))
            rb_findings_add(findings, "RB001", id, m->up.path, m->up.line,
                            "it has no down that rbtool can run; write one");
        else if ((strcmp(restores, "identical") == 0 || strcmp(restores, "order") == 0) &&
                 json_is_false(json_object_get(proof, "reapplies")))
            rb_findings_add(
                findings, "RB002", id, m->up.path, m->up.line,
                "its up fails, or gives another schema, after its own down; undo in the "
                "down all that the up does");
        add_destroyed(findings, m, proof);
    }
}

static void add_notes(rb_strs *out, const rb_migrations *set, const json_t *notes)
{
    size_t i;
    json_t *note;
    json_array_foreach (notes, i, note) {
        const rb_migration *m = rb_migrations_find(set, rb_json_str(note, "migration"));
        RB_AUTO(rb_free_str) char *path = rb_safe(m && m->up.path ? m->up.path : "");
        rb_strs_take(out, rb_format("%s: migration %s: %s", path, rb_json_str(note, "migration"),
                                    rb_json_str(note, "message")));
    }
}

/* The time at which the proof's clock stands: the commit's, so that the same commit gives the same
 * manifest. A commit may claim any date; one that SQLite cannot name becomes the nearest it can. */
static enum rb_code clock_of(int64_t *out, const rb_making *making, rb_err *err)
{
    RB_TRY(rb_commit_time(out, making->repo, &making->commit, err));
    if (*out < 0)
        *out = 0;
    else if (*out > LAST_SECOND)
        *out = LAST_SECOND;
    return RB_OK;
}

/* Once, however many databases there are. */
static void add_missing(rb_strs *out, const rb_strs *missing)
{
    for (size_t i = 0; i < missing->n; i++) {
        char *note = rb_format("this kernel does not let the process that proves migrations be cut "
                               "off from %s",
                               missing->items[i]);
        if (rb_strs_has(out, note))
            free(note);
        else
            rb_strs_take(out, note);
    }
}

static enum rb_code prove(struct work *work, const char **class_, rb_err *err)
{
    const rb_config_database *config = work->config;
    rb_making *making = work->making;
    RB_AUTO(rb_buf_clear) rb_buf seed = {0};
    if (config->seed && rb_checkout_file(&seed, making->repo, &making->tree, config->seed,
                                         SEED_LIMIT, err) != RB_OK)
        return rb_err_prefix(err, "databases.%s.seed", config->name);
    rb_making_tell(making, "proving database", config->name);
    int64_t clock;
    RB_TRY(clock_of(&clock, making, err));
    bool *is_new = mark_new(work);
    RB_AUTO(rb_proof_clear) rb_proof proof = {0};
    RB_AUTO(rb_free_str) char *where = rb_format("databases.%s.limits", config->name);
    const rb_proof_request request = {
        .engine = config->engine,
        .set = work->set,
        .is_new = is_new,
        .seed = config->seed ? rb_buf_str(&seed) : NULL,
        .seed_file = config->seed,
        .clock = clock,
        .limits = {.seconds = config->seconds,
                   .memory = config->memory,
                   .size = config->size,
                   .where = where},
    };
    enum rb_code code = rb_proof_make(&proof, &request, err);
    free(is_new);
    if (code != RB_OK)
        return rb_err_prefix(err, "database %s", config->name);
    judge_proof(work, proof.json);
    add_notes(&making->made->notes, work->set, proof.notes);
    add_missing(&making->made->notes, &proof.missing);
    work->out->proof = json_incref(proof.json);
    json_object_set(making->made->catalogs, config->name, proof.catalog);
    memcpy(work->out->fingerprint, proof.fingerprint, sizeof work->out->fingerprint);
    *class_ = proof.class_;
    return RB_OK;
}

/* What the manifest's form does not allow is told here, in the user's words. */
static enum rb_code check_names(const struct work *work, rb_err *err)
{
    for (size_t i = 0; i < work->set->n; i++) {
        const rb_migration *m = &work->set->items[i];
        const char *name = m->name ? m->name : "";
        if (rb_shape_is_plain(m->id) && (!*name || rb_shape_is_plain(name)))
            continue;
        RB_AUTO(rb_free_str) char *safe = rb_safe(m->up.path ? m->up.path : m->id);
        return rb_fail(err, RB_FOUND,
                       "database %s: the name of migration %s is not UTF-8 or holds control "
                       "characters\nrename the file",
                       work->config->name, safe);
    }
    return RB_OK;
}

/* RB008 can be accepted for an order; two migrations of one id cannot be told apart later. */
static enum rb_code check_ids(struct work *work, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *seen = json_object();
    for (size_t i = 0; i < work->set->n; i++) {
        const rb_migration *m = &work->set->items[i];
        const char *other = json_string_value(json_object_get(seen, m->id));
        if (other)
            return rb_fail(
                err, RB_FOUND,
                "database %s: two migrations have the id %s: %s and %s\ngive one of them "
                "another number",
                work->config->name, m->id, other, m->up.path);
        rb_json_set_str(seen, m->id, m->up.path);
    }
    return RB_OK;
}

/* Files that look like migrations and that no deploy will run. */
static enum rb_code note_unread(const struct work *work, rb_err *err)
{
    const rb_config_database *config = work->config;
    RB_AUTO(rb_unread_clear) rb_unread unread = {0};
    RB_TRY(rb_migrations_unread(&unread, work->making->repo, &work->making->tree,
                                config->migrations, config->layout, config->engine, err));
    for (size_t i = 0; i < unread.n; i++) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(unread.items[i].path);
        rb_strs_take(&work->making->made->notes,
                     rb_format("database %s: %s: %s", config->name, safe, unread.items[i].why));
    }
    return RB_OK;
}

static enum rb_code add_database(struct work *work, const char **class_, rb_err *err)
{
    const rb_config_database *config = work->config;
    rb_making *making = work->making;
    enum rb_code code = rb_migrations_read(&work->set, making->repo, &making->tree,
                                           config->migrations, config->layout, config->engine, err);
    if (code != RB_OK)
        return rb_err_prefix(err, "database %s", config->name);
    RB_TRY(note_unread(work, err));
    RB_TRY(check_names(work, err));
    RB_TRY(check_ids(work, err));
    rb_manifest_database *out = work->out;
    out->name = rb_strdup(config->name);
    out->engine = rb_strdup(config->engine);
    out->directory = rb_strdup(config->migrations);
    out->layout = rb_strdup(work->set->layout);
    out->tracking = rb_strdup(config->tracking);
    out->migrations = rb_release_describe(&out->migration_count, work->set);
    if (making->previous)
        rb_carried_find(&work->carried, making->previous, making->chain, making->repo, config->name,
                        work->set);
    rb_lint(&making->made->findings, work->set, config->engine, work->carried.items,
            work->carried.n, rb_engine_refused_call);
    return prove(work, class_, err);
}

static const char *worse(const char *a, const char *b)
{
    static const char *const order[] = {"irreversible", "lossy"};
    for (size_t i = 0; i < 2; i++)
        if (strcmp(a, order[i]) == 0 || strcmp(b, order[i]) == 0)
            return order[i];
    return "reversible";
}

enum rb_code rb_making_databases(rb_making *making, rb_err *err)
{
    rb_manifest *manifest = making->made->manifest;
    size_t n = making->config->database_count;
    const char *class_ = "reversible";
    manifest->databases = rb_calloc(n, sizeof *manifest->databases);
    manifest->database_count = n;
    making->classes = rb_calloc(n, sizeof *making->classes);
    for (size_t i = 0; i < n; i++) {
        RB_AUTO(work_clear)
        struct work work = {.making = making,
                            .config = &making->config->databases[i],
                            .out = &manifest->databases[i]};
        RB_TRY(add_database(&work, &making->classes[i], err));
        class_ = worse(class_, making->classes[i]);
    }
    manifest->class_ = rb_strdup(class_);
    return RB_OK;
}
