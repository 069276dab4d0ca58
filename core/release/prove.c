#include "release/prove.h"

#include <stdlib.h>
#include <string.h>

#include "artifact/checkout.h"
#include "base/shape.h"
#include "catalog/name.h"
#include "database/loss.h"

#define SEED_LIMIT (64u << 20) /* bytes of a seed script */
#define SHOWN 20               /* number of differences of one migration that are reported */
/* end of the year 9999, the last time that SQLite's dates can express */
#define LAST_SECOND 253402300799

static bool has_finding(const rb_findings *findings, const char *rule, const char *migration)
{
    for (size_t i = 0; i < findings->n; i++)
        if (strcmp(findings->items[i].rule, rule) == 0 &&
            strcmp(findings->items[i].migration, migration) == 0)
            return true;
    return false;
}

/* Adds a difference between the state before the up and the state after the down. change: "added",
 * "removed" or "changed". */
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
        return; /* nothing to add: the finding of lint names the statement */
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

/* Adds the tables that a new migration creates, by their keys in effects: its down drops them, and
 * its up does not. */
static void add_created(json_t *created, const json_t *proof)
{
    const json_t *effects = json_object_get(proof, "effects");
    rb_json_each_member (key, effect, json_object_get(effects, "down")) {
        const json_t *up = json_object_get(json_object_get(effects, "up"), key);
        if (json_object_get(effect, "dropped") && !json_object_get(up, "dropped"))
            json_object_set_new_nocheck(created, key, json_true());
    }
}

/* A lock on a table that the same release creates blocks nobody. */
static void add_locked(rb_findings *findings, const rb_migration *m, const json_t *proof,
                       const json_t *created)
{
    const json_t *list = json_object_get(proof, "locks");
    for (size_t i = 0, shown = 0; i < json_array_size(list) && shown < SHOWN; i++) {
        const json_t *lock = json_array_get(list, i);
        const bool up = strcmp(rb_json_str(lock, "direction"), "up") == 0;
        const rb_script *script = up ? &m->up : &m->down;
        RB_AUTO(rb_free_str) char *key = rb_loss_key(rb_json_str(lock, "table"));
        if (!json_is_true(json_object_get(lock, "blocks")) || json_object_get(created, key))
            continue;
        shown++;
        rb_findings_add(findings, "RB010", m->id, script->path, script->line,
                        "its %s blocks writes to %s (%s lock) while all of the table is %s; build "
                        "indexes concurrently, add constraints as NOT VALID, change types in steps",
                        up ? "up" : "down", rb_json_str(lock, "table"), rb_json_str(lock, "mode"),
                        json_is_true(json_object_get(lock, "rewrites")) ? "rewritten" : "read");
    }
}

/* True if only the id of m is new. Its scripts were checked when they were released. */
static bool is_renumbered(const rb_prove *prove, const rb_migration *m)
{
    for (size_t i = 0; i < prove->released_count; i++)
        if (rb_released_has_scripts(m, &prove->released[i]) &&
            !rb_migrations_find(prove->set, prove->released[i].id))
            return true;
    return false;
}

static void judge_proof(rb_findings *findings, const rb_prove *prove, const json_t *json)
{
    RB_AUTO(rb_json_freep) json_t *created = json_object();
    rb_json_each (proof, json_object_get(json, "migrations")) {
        add_created(created, proof);
        const char *id = rb_json_str(proof, "id");
        const rb_migration *m = id ? rb_migrations_find(prove->set, id) : NULL;
        const char *restores = rb_json_str(proof, "restores");
        if (!m || !restores || is_renumbered(prove, m))
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
        if (prove->released_count > 0)
            add_locked(findings, m, proof, created);
    }
}

static void add_notes(rb_strs *out, const rb_migrations *set, const json_t *notes)
{
    rb_json_each (note, notes) {
        const rb_migration *m = rb_migrations_find(set, rb_json_str(note, "migration"));
        RB_AUTO(rb_free_str) char *path = rb_safe(m && m->up.path ? m->up.path : "");
        rb_strs_take(out, rb_format("%s: migration %s: %s", path, rb_json_str(note, "migration"),
                                    rb_json_str(note, "message")));
    }
}

/* Returns the time that the proof's databases use: the commit's, so that the same commit gives the
 * same manifest. A time that SQLite cannot express is replaced by the nearest one it can. */
static enum rb_code clock_of(int64_t *out, const rb_prove *prove, rb_err *err)
{
    RB_TRY(rb_commit_time(out, prove->repo, &prove->commit, err));
    if (*out < 0)
        *out = 0;
    else if (*out > LAST_SECOND)
        *out = LAST_SECOND;
    return RB_OK;
}

/* Adds the texts that are not in `out` yet: several databases report the same. */
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

/* Refuses names that a manifest cannot contain, with a message in the terms of the settings. */
static enum rb_code check_names(const rb_prove *prove, rb_err *err)
{
    for (size_t i = 0; i < prove->set->n; i++) {
        const rb_migration *m = &prove->set->items[i];
        const char *name = m->name ? m->name : "";
        if (rb_shape_is_plain(m->id) && (!*name || rb_shape_is_plain(name)))
            continue;
        RB_AUTO(rb_free_str) char *safe = rb_safe(m->up.path ? m->up.path : m->id);
        return rb_fail(err, RB_FOUND,
                       "the name of migration %s is not UTF-8 or holds control "
                       "characters\nrename the file",
                       safe);
    }
    return RB_OK;
}

/* Refuses duplicate ids even if RB008 is accepted, which is for the order: they could not be
 * distinguished later. */
static enum rb_code check_ids(const rb_prove *prove, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *seen = json_object();
    for (size_t i = 0; i < prove->set->n; i++) {
        const rb_migration *m = &prove->set->items[i];
        const char *other = json_string_value(json_object_get(seen, m->id));
        if (other)
            return rb_fail(
                err, RB_FOUND,
                "two migrations have the id %s: %s and %s\ngive one of them another number", m->id,
                other, m->up.path);
        rb_json_set_str(seen, m->id, m->up.path);
    }
    return RB_OK;
}

/* Adds notes on files that look like migrations but that no deploy would run. */
static void note_unread(rb_strs *notes, const rb_prove *prove)
{
    for (size_t i = 0; i < prove->set->unread_count; i++) {
        const rb_unread_file *file = &prove->set->unread[i];
        RB_AUTO(rb_free_str) char *safe = rb_safe(file->path);
        rb_strs_take(notes,
                     rb_format("database %s: %s: %s", prove->database->name, safe, file->why));
    }
}

static enum rb_code run_proof(rb_proof *out, const rb_prove *prove, const rb_oid *tree, rb_err *err)
{
    const rb_config_database *database = prove->database;
    RB_AUTO(rb_buf_clear) rb_buf seed = {0};
    if (database->seed &&
        rb_checkout_file(&seed, prove->repo, tree, database->seed, SEED_LIMIT, err) != RB_OK)
        return rb_err_prefix(err, "seed");
    RB_AUTO(rb_free_str) char *where = rb_format("databases.%s.limits", database->name);
    rb_proof_request request = {
        .engine = database->engine,
        .set = prove->set,
        .is_new = prove->is_new,
        .seed = database->seed ? rb_buf_str(&seed) : NULL,
        .seed_file = database->seed,
        .limits = {.seconds = database->seconds,
                   .memory = database->memory,
                   .size = database->size,
                   .where = where},
    };
    request.lend = prove->lend;
    RB_TRY(clock_of(&request.clock, prove, err));
    RB_TRY(rb_proof_make(out, &request, err));
    if (database->seed)
        rb_sha256_hex_of(rb_buf_str(&seed), seed.len, out->seed);
    return RB_OK;
}

static enum rb_code prove_database(rb_proof *out, rb_findings *findings, rb_strs *notes,
                                   const rb_prove *prove, rb_err *err)
{
    rb_oid tree;
    RB_TRY(rb_commit_tree(&tree, prove->repo, &prove->commit, err));
    note_unread(notes, prove);
    rb_findings own = {0}; /* findings of this database; ids of other databases must not match */
    rb_lint(&own, prove->set, prove->database->engine, prove->released, prove->released_count,
            rb_engine_outside);
    enum rb_code code = check_names(prove, err);
    if (code == RB_OK)
        code = check_ids(prove, err);
    if (code == RB_OK)
        code = run_proof(out, prove, &tree, err);
    if (code == RB_OK) {
        judge_proof(&own, prove, out->json);
        add_notes(notes, prove->set, out->notes);
        add_missing(notes, &out->missing);
    }
    rb_findings_move(findings, &own);
    return code;
}

enum rb_code rb_prove_database(rb_proof *out, rb_findings *findings, rb_strs *notes,
                               const rb_prove *prove, rb_err *err)
{
    *out = (rb_proof){0};
    if (prove_database(out, findings, notes, prove, err) != RB_OK)
        return rb_err_prefix(err, "database %s", prove->database->name);
    return RB_OK;
}
