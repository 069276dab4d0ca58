#include "transition/recover.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "database/url.h"
#include "release/chain.h"
#include "transition/database_step.h"
#include "transition/host_file_backup.h"
#include "transition/host_files.h"
#include "transition/plan_make.h"
#include "transition/segments.h"

void rb_transition_clear(rb_transition *t)
{
    rb_plan_free(t->plan);
    rb_policy_needs_clear(&t->needs);
    rb_transition_row_free(t->row);
    rb_release_free(t->from);
    rb_release_free(t->to);
    rb_release_free(t->overrides);
    for (int part = 0; part < RB_PARTS; part++)
        rb_release_free(t->part_from[part]);
    rb_live_clear(&t->live);
    free(t->nothing);
    free(t->rule);
    free(t->command);
    *t = (rb_transition){0};
}

static enum rb_code open_same(rb_release **out, rb_session *session, const char *tag,
                              const char *object, const char *env, rb_err *err)
{
    enum rb_code code = rb_session_release(out, session, tag, object, err);
    if (code == RB_ERROR)
        code = err->code = RB_HALFWAY;
    if (code != RB_OK || !object || strcmp((*out)->object, object) == 0)
        return code;
    RB_AUTO(rb_free_str) char *back = rb_chain_back(session->repo, tag, object);
    return rb_fail(err, RB_FOUND,
                   "tag %s has moved since the transition began: its object was %s and is %s\n"
                   "move it back with %s, then continue with `rbtool resume --env %s`",
                   tag, object, (*out)->object, back, env);
}

/* Checks that the databases are those that the transition began with. Only they record whether it
 * was committed, and an undo must not remove a database of another environment. */
static enum rb_code same_databases(const rb_transition_row *row, const rb_env *env, rb_err *err)
{
    rb_json_each (item, rb_plan_before(row->plan, "databases")) {
        const char *name = rb_json_str(item, "name");
        const char *url = rb_env_database(env, name);
        RB_AUTO(rb_free_str)
        char *now = url ? rb_url_public(url) : NULL; /* urls are compared without passwords */
        RB_AUTO(rb_free_str) char *began = rb_json_bytes(item, "url");
        if (!now)
            return rb_fail(err, RB_HALFWAY,
                           "transition %s moves database %s, and environment %s has no url for it\n"
                           "add it again before you go on with that or undo it",
                           row->id, name, env->name);
        if (!rb_text_same(now, began))
            return rb_fail(err, RB_HALFWAY,
                           "database %s of %s is %s, and was %s when transition %s began\nset it "
                           "back before you go on with that or undo it",
                           name, env->name, now, began ? began : "?", row->id);
    }
    return RB_OK;
}

/* Reads the live releases, which a transition's parts come from until it has ended. */
static enum rb_code read_live(rb_transition *out, rb_state *state, rb_session *session, rb_err *err)
{
    rb_plan_request *rq = &out->request;
    RB_TRY(rb_state_live(&out->live, state, err));
    for (int part = 0; part < RB_PARTS; part++)
        if (rq->parts[part] && rb_text_same(rq->kind, "abort")) {
            /* for an abort: what the transition that it undoes left there */
            free(out->live.tag[part]);
            free(out->live.object[part]);
            out->live.tag[part] = rb_strdup(out->row->from);
            out->live.object[part] = rb_strdup(out->row->from_object);
        }
    rq->live = &out->live;
    for (int part = 0; part < RB_PARTS; part++) {
        const char *tag = out->live.tag[part];
        rq->unused[part] = !tag;
        if (!rq->parts[part] || !tag || !rq->from || strcmp(tag, rq->from->tag) == 0)
            continue;
        RB_TRY(open_same(&out->part_from[part], session, tag, out->live.object[part], rq->env->name,
                         err));
        rq->part_from[part] = out->part_from[part];
    }
    return RB_OK;
}

/* Checks that the stored plan is complete and belongs to this transition. */
static enum rb_code check_plan(const rb_transition_row *row, const rb_env *env, rb_err *err)
{
    const char *from = rb_json_str(row->plan, "from");
    if (json_array_size(json_object_get(row->plan, "steps")) > 0 &&
        json_array_size(json_object_get(row->plan, "only")) > 0 &&
        rb_json_str(row->plan, "environment") &&
        (row->from ? rb_text_same(from, row->from) : !from) && /* a first deploy has no FROM */
        rb_text_same(rb_json_str(row->plan, "to"), row->to))
        return RB_OK;
    return rb_fail(err, RB_HALFWAY,
                   "the plan of transition %s in %s/.rbtool/state.db is damaged; nothing was "
                   "changed\nrestore a copy of that file, then continue with `rbtool resume --env "
                   "%s`",
                   row->id, env->root, env->name);
}

enum rb_code rb_transition_load(rb_transition *out, rb_session *session, const rb_env *env,
                                rb_state *state, bool with_releases, rb_err *err)
{
    *out = (rb_transition){0};
    RB_TRY(rb_state_pending(&out->row, state, err));
    const rb_transition_row *row = out->row;
    if (!row)
        return RB_OK;
    RB_TRY(check_plan(row, env, err));
    RB_TRY(same_databases(row, env, err));
    if (!with_releases)
        return RB_OK;
    if (row->from)
        RB_TRY(open_same(&out->from, session, row->from, row->from_object, env->name, err));
    RB_TRY(open_same(&out->to, session, row->to, row->to_object, env->name, err));
    const char *overrides = rb_json_str(row->plan, "scriptsFrom");
    if (overrides)
        RB_TRY(open_same(&out->overrides, session, overrides,
                         json_string_value(rb_plan_before(row->plan, "scriptsFrom")), env->name,
                         err));
    out->request = (rb_plan_request){
        .kind = row->kind,
        .env = env,
        .state = state,
        .session = session,
        .from = out->from,
        .to = out->to,
        .overrides = out->overrides,
        .no_backup = json_is_true(json_object_get(row->plan, "noBackup")),
        .rule = rb_json_str(row->plan, "rule"),
    };
    rb_json_each (item, json_object_get(row->plan, "only"))
        for (int part = 0; part < RB_PARTS; part++)
            if (rb_text_same(json_string_value(item), rb_part_name((enum rb_part)part)))
                out->request.parts[part] = true;
    return read_live(out, state, session, err);
}

/* Turns an unreachable database into RB_HALFWAY with a hint. */
static enum rb_code stays_halfway(enum rb_code code, const rb_env *env, const char *command,
                                  rb_err *err)
{
    if (code != RB_ERROR)
        return code;
    const size_t used = strlen(err->hint);
    snprintf(err->hint + used, sizeof err->hint - used, "%s `rbtool %s --env %s`",
             used ? ", and go on with" : "fix the cause and go on with", command, env->name);
    return err->code = RB_HALFWAY;
}

enum rb_code rb_transition_read(rb_transition *t, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *data = NULL;
    RB_TRY(rb_state_data(&data, t->request.state, t->row->id, err));
    enum rb_code code = rb_plan_read(&t->plan, t->row, data, &t->request, err);
    return stays_halfway(code, t->request.env, "resume", err);
}

static enum rb_code is_committed(bool *out, const json_t *database, const rb_env *env,
                                 const char *transition, rb_err *err)
{
    const char *url = rb_env_database(env, rb_json_str(database, "name"));
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    rb_db_target target;
    *out = false;
    RB_TRY(rb_db_inspect(&target, url, err));
    if (json_is_true(json_object_get(database, "create")) && !target.exists)
        return RB_OK;
    RB_TRY(rb_db_open(&db, url, RB_DB_WRITE, err));
    RB_TRY(rb_databases_await(db, transition, env, "abort", err));
    return rb_db_journal_has(out, db, transition, err);
}

enum rb_code rb_transition_committed(bool *out, const rb_transition *transition, const rb_env *env,
                                     rb_state *state, rb_err *err)
{
    const rb_transition_row *row = transition->row;
    const json_t *databases = rb_plan_before(row->plan, "databases");
    *out = false;
    rb_json_each (item, databases) {
        bool has;
        enum rb_code code = is_committed(&has, item, env, row->id, err);
        RB_TRY(stays_halfway(code, env, "abort", err));
        *out = *out || has;
    }
    if (json_array_size(databases) > 0)
        return RB_OK;
    enum rb_step_state switched;
    RB_TRY(rb_state_step_get(&switched, state, row->id, rb_step_kind_name(RB_DO_SWITCH), err));
    *out = switched == RB_STEP_DONE;
    return RB_OK;
}

/* True if the transition itself caused a difference: in ROOT/current, or in one of its files. */
static bool is_own_change(const json_t *item, const rb_transition_row *row, const json_t *files)
{
    const char *part = rb_json_str(item, "part");
    const char *path = rb_json_str(item, "path");
    const char *found = rb_json_str(item, "found");
    RB_AUTO(rb_free_str) char *target = rb_format("releases/%s", row->to);
    if (rb_text_same(part, "app"))
        return rb_text_same(path, "current") && rb_text_same(found, target);
    rb_json_each (file, files) {
        RB_AUTO(rb_free_str) char *bytes = rb_json_bytes(file, "path");
        RB_AUTO(rb_free_str) char *safe = rb_safe(bytes ? bytes : "");
        const char *brings = rb_json_str(file, "brings");
        if (rb_text_same(part, rb_json_str(file, "part")) && rb_text_same(path, safe) &&
            rb_text_same(found, brings ? brings : "missing"))
            return true;
    }
    return false;
}

void rb_transition_forget_own(json_t *drift, const rb_transition_row *row, rb_state *state)
{
    RB_AUTO(rb_json_freep) json_t *data = NULL;
    if (rb_state_data(&data, state, row->id, RB_IGNORED) != RB_OK)
        data = NULL;
    for (size_t i = json_array_size(drift); i > 0; i--)
        if (is_own_change(json_array_get(drift, i - 1), row, json_object_get(data, "files")))
            json_array_remove(drift, i - 1);
}

static json_t *document(const rb_transition_row *row, const rb_env *env, const char *outcome,
                        const rb_err *error)
{
    return rb_json_make("from:s to:s environment:s transition:s outcome:s steps:j error:j",
                        row->from, row->to, env->name, row->id, outcome, json_array(),
                        rb_err_json(error));
}

enum rb_code rb_transition_undo(json_t **out, rb_transition *transition, const rb_env *env,
                                rb_state *state, rb_err *err)
{
    const rb_transition_row *row = transition->row;
    enum rb_code code = RB_OK;
    if (transition->to && rb_segments_in(row->plan))
        code = rb_transition_read(transition, err);
    const rb_undo undo = {env, state, row, transition->plan, &transition->request};
    rb_host_files_unstage(env);
    if (code == RB_OK)
        code = rb_undo_all(&undo, err);
    if (code == RB_OK)
        code = rb_state_end(state, row->id, "aborted", NULL, NULL, err);
    if (code == RB_OK) {
        (void)!rb_host_backup_remove(env->root, row->id, !rb_segments_in(row->plan), RB_IGNORED);
        *out = document(row, env, "aborted", NULL);
        return RB_OK;
    }
    err->code = RB_HALFWAY;
    *out = document(row, env, "interrupted", err);
    return RB_HALFWAY;
}
