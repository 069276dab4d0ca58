#include "transition/secrets.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/shape.h"
#include "base/template.h"
#include "base/text.h"
#include "environment/checks.h"
#include "environment/drift.h"
#include "transition/parts.h"

#define TIMEOUT 60              /* seconds for one command */
#define SEEN "secrets"          /* name of a pin: {NAME: {"version","at"}} */
#define BEFORE "secrets.before" /* name of a pin: {"transition", "versions": {NAME: version}} */

static const rb_env_secret *find(const rb_env *env, const char *name)
{
    for (size_t i = 0; i < env->secret_count; i++)
        if (rb_text_same(env->secrets[i].name, name))
            return &env->secrets[i];
    return NULL;
}

static const char *version_in(const rb_release *release, const char *name)
{
    return release ? rb_json_str(release->manifest->secrets, name) : NULL;
}

/* Notes what a person has to do about a secret that rbtool does not move. */
static void note_by_hand(rb_plan *plan, const rb_plan_request *rq, const char *name,
                         const char *from, const char *to)
{
    const char *env = rq->env->name;
    if (!to)
        rb_plan_note(plan,
                     "secret %s: %s does not say which version it needs, and the release before "
                     "needs %s; if it needs another one, make that live by hand",
                     name, rq->to->tag, from);
    else
        rb_plan_note(plan,
                     "secret %s: %s needs version %s%s%s, and environments.%s.secrets.%s%s; make "
                     "that version live by hand",
                     name, rq->to->tag, to, from ? ", not " : "", from ? from : "", env, name,
                     find(rq->env, name) ? ".restore is not set" : " has no commands");
}

void rb_plan_secrets(rb_plan *plan, const rb_plan_request *rq)
{
    const rb_release *sides[] = {rb_parts_from(rq, RB_PART_CONFIG), rq->to};
    json_t *moves = json_array();
    json_object_set_new(plan->json, "secrets", moves);
    if (!plan->parts[RB_PART_CONFIG] || rq->again != RB_AGAIN_NOT)
        return;
    for (size_t side = 0; side < 2; side++)
        rb_json_each_member (name, ignored, sides[side] ? sides[side]->manifest->secrets : NULL) {
            const char *from = version_in(sides[0], name);
            const char *to = version_in(sides[1], name);
            if (rb_text_same(from, to) ||
                (side == 1 && from)) /* a secret of both releases is handled once */
                continue;
            const rb_env_secret *secret = find(rq->env, name);
            if (to && secret && secret->restore.n > 0)
                json_array_append_new(moves, rb_json_make("name:s from:s to:s", name, from, to));
            else
                note_by_hand(plan, rq, name, from, to);
        }
}

char *rb_secrets_describe(const rb_plan *plan)
{
    rb_buf out = {0};
    rb_json_each (item, json_object_get(plan->json, "secrets")) {
        RB_AUTO(rb_free_str)
        char *text = rb_template("{name} {to}[ (was {from})]", item);
        rb_buf_printf(&out, "%s%s", item_at ? ", " : "restore secrets: ", text);
    }
    return rb_buf_detach(&out);
}

static enum rb_code ask(char **out, char **output, const rb_env *env, const rb_env_secret *secret,
                        rb_err *err)
{
    RB_AUTO(rb_free_str) char *what = rb_format("secrets.%s.version", secret->name);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    *out = NULL;
    RB_TRY(rb_command_run_quietly(&text, output, env, &secret->version, NULL, TIMEOUT, what, err));
    while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]))
        rb_buf_truncate(&text, text.len - 1);
    if (strlen(rb_buf_str(&text)) != text.len || !rb_shape_is_name(rb_buf_str(&text)))
        return rb_fail(err, RB_FOUND,
                       "%s (%s) did not print a version: one word of at most 100 letters, digits, "
                       "'.', '_' and '-'\nfix environments.%s.secrets.%s.version",
                       what, secret->version.items[0], env->name, secret->name);
    *out = rb_buf_detach(&text);
    return RB_OK;
}

/* Makes a version live, unless it is live already. *output: the end of what a command that failed
 * printed on standard error, or NULL. */
static enum rb_code bring(char **output, const rb_env *env, const char *name, const char *version,
                          rb_err *err)
{
    RB_AUTO(rb_free_str) char *what = rb_format("secrets.%s.restore", name);
    RB_AUTO(rb_free_str) char *live = NULL;
    RB_AUTO(rb_buf_clear) rb_buf unread = {0};
    const rb_env_secret *secret = find(env, name);
    if (!secret || secret->restore.n == 0)
        return rb_fail(err, RB_FOUND,
                       "secret %s has to be at version %s, and environments.%s.secrets.%s.restore "
                       "is not set any more\nset it again, or make that version live by hand",
                       name, version, env->name, name);
    RB_TRY(ask(&live, output, env, secret, err));
    if (strcmp(live, version) == 0)
        return RB_OK;
    RB_TRY(rb_command_run_quietly(&unread, output, env, &secret->restore, version, TIMEOUT, what,
                                  err));
    rb_free_str(&live);
    RB_TRY(ask(&live, output, env, secret, err));
    if (strcmp(live, version) == 0)
        return RB_OK;
    return rb_fail(err, RB_FOUND, "secret %s is at version %s after %s, and has to be at %s", name,
                   live, what, version);
}

/* Reads a pin. An empty object if it is missing or damaged. */
static enum rb_code read_pin(json_t **out, rb_state *state, const char *pin, rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    RB_TRY(rb_state_pin(&text, state, pin, err));
    if (!text || rb_json_read(out, text, strlen(text), pin, RB_IGNORED) != RB_OK)
        *out = json_object();
    return RB_OK;
}

static enum rb_code write_pin(rb_state *state, const char *pin, const json_t *json, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, json);
    return rb_state_pin_set(state, pin, rb_buf_str(&text), err);
}

/* Stores once what was live before the transition. A step that is repeated would find the version
 * that its first run made live. */
static enum rb_code remember(rb_run *run, const char *name, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *pin = NULL;
    RB_AUTO(rb_free_str) char *live = NULL;
    const rb_env *env = run->request->env;
    const rb_env_secret *secret = find(env, name);
    RB_TRY(read_pin(&pin, run->state, BEFORE, err));
    if (!rb_text_same(rb_json_str(pin, "transition"), run->plan->id))
        rb_json_set(pin, "transition:s versions:j", run->plan->id, json_object());
    json_t *versions = json_object_get(pin, "versions");
    if (!secret || rb_json_str(versions, name))
        return RB_OK;
    RB_TRY(ask(&live, &run->output, env, secret, err));
    rb_json_set_str(versions, name, live);
    return write_pin(run->state, BEFORE, pin, err);
}

enum rb_code rb_secrets_restore(rb_run *run, rb_err *err)
{
    const rb_env *env = run->request->env;
    RB_AUTO(rb_json_freep) json_t *seen = json_object();
    rb_json_each (item, json_object_get(run->plan->json, "secrets")) {
        const char *name = rb_json_str(item, "name");
        const char *to = rb_json_str(item, "to");
        RB_TRY(remember(run, name, err));
        RB_TRY(bring(&run->output, env, name, to, err));
        rb_json_set_str(seen, name, to);
    }
    return rb_secrets_record(run->state, seen, err);
}

enum rb_code rb_secrets_undo(const rb_undo *undo, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *pin = NULL;
    RB_TRY(read_pin(&pin, undo->state, BEFORE, err));
    json_t *versions = json_object_get(pin, "versions");
    if (!rb_text_same(rb_json_str(pin, "transition"), undo->row->id))
        return RB_OK; /* the transition changed no secret */
    rb_json_each_member (name, version, versions) {
        RB_AUTO(rb_free_str) char *output = NULL;
        enum rb_code code = bring(&output, undo->env, name, json_string_value(version), err);
        if (code != RB_OK)
            (void)!rb_state_said_set(undo->state, undo->row->id, rb_step_kind_name(RB_DO_SECRETS),
                                     err->message, output, RB_IGNORED);
        if (code != RB_OK)
            return code;
    }
    return rb_secrets_record(undo->state, versions, err);
}

void rb_secrets_look(json_t **seen, rb_strs *problems, const rb_env *env)
{
    *seen = json_object();
    for (size_t i = 0; i < env->secret_count; i++) {
        RB_AUTO(rb_free_str) char *version = NULL;
        rb_err why;
        if (ask(&version, NULL, env, &env->secrets[i], &why) == RB_OK)
            rb_json_set_str(*seen, env->secrets[i].name, version);
        else
            rb_strs_add(problems, rb_err_line(&why));
    }
}

enum rb_code rb_secrets_record(rb_state *state, const json_t *seen, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *pin = NULL;
    RB_TRY(read_pin(&pin, state, SEEN, err));
    rb_json_each_member (name, version, seen)
        json_object_set_new(pin, name,
                            rb_json_make("version:J at:i", version, (int64_t)time(NULL)));
    return write_pin(state, SEEN, pin, err);
}

enum rb_code rb_secrets_drift(json_t *drift, rb_state *state, const rb_env *env,
                              const rb_release *release, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *pin = NULL;
    RB_TRY(read_pin(&pin, state, SEEN, err));
    rb_json_each_member (name, version, release->manifest->secrets) {
        const char *found = rb_json_str(json_object_get(pin, name), "version");
        if (find(env, name) && found && !rb_text_same(found, json_string_value(version)))
            rb_drift_add(drift, "config", json_string_value(version), found, "secret %s", name);
    }
    return RB_OK;
}
