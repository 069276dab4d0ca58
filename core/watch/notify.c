#include "watch/notify.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "environment/checks.h"
#include "environment/state_notice.h"
#include "transition/ledger_outbox.h"
#include "transition/pause.h"

#define LIMIT 5   /* seconds for one command */
#define BUDGET 10 /* seconds for all commands in one call */
#define CUSTOM "dev.cdeventsx.rbtool-"
#define STANDARD "dev.cdevents."

enum subject { SUBJECT_TRANSITION, SUBJECT_SERVICE, SUBJECT_INCIDENT };

/* Versions are those of CDEvents 0.5.1. */
typedef struct kind {
    const char *name; /* name in the event's id */
    const char *type;
    enum subject subject;
} kind;
static const kind begun = {"begun", CUSTOM "transition.begun.0.1.0", SUBJECT_TRANSITION};
static const kind halfway = {"halfway", CUSTOM "transition.halfway.0.1.0", SUBJECT_TRANSITION};
static const kind paused = {"paused", CUSTOM "transition.paused.0.1.0", SUBJECT_TRANSITION};
static const kind deployed = {"ended", STANDARD "service.deployed.0.3.0", SUBJECT_SERVICE};
static const kind rolledback = {"ended", STANDARD "service.rolledback.0.3.0", SUBJECT_SERVICE};
static const kind done = {"ended", CUSTOM "transition.done.0.1.0", SUBJECT_TRANSITION};
static const kind failed = {"ended", CUSTOM "transition.failed.0.1.0", SUBJECT_TRANSITION};
static const kind aborted = {"ended", CUSTOM "transition.aborted.0.1.0", SUBJECT_TRANSITION};
static const kind unhealthy = {"unhealthy", STANDARD "incident.detected.0.3.0", SUBJECT_INCIDENT};
static const kind detected = {"detected", STANDARD "incident.detected.0.3.0", SUBJECT_INCIDENT};
static const kind resolved = {"resolved", STANDARD "incident.resolved.0.3.0", SUBJECT_INCIDENT};
static const kind held = {"held", CUSTOM "watch.held.0.1.0", SUBJECT_TRANSITION};
static const kind escalated = {"escalated", CUSTOM "watch.escalated.0.1.0", SUBJECT_TRANSITION};

typedef struct finding {
    const rb_env *env;
    rb_state *state;
    char (*commands)[65];
    const json_t *row; /* an item of rb_state_happened() */
} finding;

static void hash_of(const rb_strs *command, char out[65])
{
    RB_AUTO(rb_json_freep) json_t *json = rb_json_strs(command);
    rb_json_hash(json, out);
}

static json_t *custom_data(const finding *f, const char *message)
{
    const json_t *row = f->row;
    const json_t *watch = json_object_get(row, "watch");
    RB_AUTO(rb_free_str) char *public = rb_record_public(message);
    json_t *data = rb_json_make(
        "transition:J kind:J from:J to:J releaseObject:J only:J outcome:J step:J message:s",
        json_object_get(row, "id"), json_object_get(row, "kind"), json_object_get(row, "from"),
        json_object_get(row, "to"), json_object_get(row, "object"), json_object_get(row, "only"),
        json_object_get(row, "outcome"), json_object_get(row, "step"), public);
    if (!json_is_object(watch))
        return data;
    RB_AUTO(rb_free_str) char *why = rb_record_public(rb_json_str(watch, "held"));
    json_object_set_new(
        data, "watch",
        rb_json_make("rounds:J failed:J held:s outcome:J", json_object_get(watch, "rounds"),
                     json_object_get(watch, "failed"), why, json_object_get(watch, "outcome")));
    return data;
}

static json_t *subject_of(const finding *f, const kind *k, const char *message)
{
    const char *id = rb_json_str(f->row, "id");
    const char *app = rb_json_str(f->row, "app");
    app = app ? app : "unknown";
    RB_AUTO(rb_free_str) char *name = rb_text_uri(app, "");
    RB_AUTO(rb_free_str) char *version = rb_text_uri(rb_json_str(f->row, "to"), "");
    RB_AUTO(rb_free_str) char *package = rb_format("pkg:generic/%s@%s", name, version);
    RB_AUTO(rb_free_str) char *incident = rb_format("%s-incident", id);
    RB_AUTO(rb_free_str) char *description = rb_record_public(message);
    json_t *content =
        rb_json_make("environment:j artifactId:s", rb_json_make("id:s", f->env->name), package);
    if (k->subject == SUBJECT_INCIDENT)
        rb_json_set(content, "service:j description:s", rb_json_make("id:s", app),
                    description ? description : "");
    return rb_json_make("id:s content:j",
                        k->subject == SUBJECT_SERVICE    ? app
                        : k->subject == SUBJECT_INCIDENT ? incident
                                                         : id,
                        content);
}

/* Adds an event for every command. at: time of the event, in seconds. */
static enum rb_code add(const finding *f, const kind *k, const char *suffix, int64_t at,
                        const char *message, rb_err *err)
{
    const char *app = rb_json_str(f->row, "app");
    RB_AUTO(rb_free_str)
    char *id = rb_format("%s-%s%s", rb_json_str(f->row, "id"), k->name, suffix);
    RB_AUTO(rb_free_str)
    char *source = rb_format("/rbtool/%s/%s", app ? app : "unknown", f->env->name);
    RB_AUTO(rb_free_str) char *iso = rb_text_iso(at);
    json_t *subject = subject_of(f, k, message);
    json_t *data = rb_json_make("context:j subject:j customData:j customDataContentType:s",
                                rb_json_make("specversion:s id:s source:s type:s timestamp:s",
                                             "0.5.1", id, source, k->type, iso),
                                subject, custom_data(f, message), "application/json");
    RB_AUTO(rb_json_freep)
    json_t *event = rb_json_make(
        "specversion:s id:s source:s type:s subject:J time:s datacontenttype:s data:j", "1.0", id,
        source, k->type, json_object_get(subject, "id"), iso, "application/json", data);
    for (size_t i = 0; i < f->env->notify_count; i++)
        RB_TRY(rb_state_notice_add(f->state, id, f->commands[i], event, err));
    return RB_OK;
}

static bool moved_app(const json_t *row)
{
    rb_json_each (part, json_object_get(row, "only"))
        if (rb_text_same(json_string_value(part), rb_part_name(RB_PART_APP)))
            return true;
    return false;
}

static enum rb_code find_end(const finding *f, rb_err *err)
{
    const char *outcome = rb_json_str(f->row, "outcome");
    const char *error = rb_json_str(f->row, "error");
    const int64_t at = rb_json_int(f->row, "finished", 0);
    const bool forward = rb_text_same(rb_json_str(f->row, "kind"), "deploy");
    if (rb_text_same(outcome, "interrupted")) /* the abort that undid it has its own event */
        return RB_OK;
    if (!rb_outcome_reached(outcome))
        return add(f, rb_text_same(outcome, "aborted") ? &aborted : &failed, "", at, error, err);
    RB_TRY(add(f,
               !moved_app(f->row) ? &done
               : forward          ? &deployed
                                  : &rolledback,
               "", at, error, err));
    return rb_text_same(outcome, "done") ? RB_OK : add(f, &unhealthy, "", at, error, err);
}

static enum rb_code find_pending(const finding *f, bool running, rb_err *err)
{
    RB_TRY(add(f, &begun, "", rb_json_int(f->row, "started", 0), NULL, err));
    if (running)
        return RB_OK;
    const json_t *pause = rb_paused(f->row);
    const int64_t at = pause ? rb_json_int(pause, "at", 0)
                             : rb_json_int(f->row, "at", rb_json_int(f->row, "started", 0));
    RB_AUTO(rb_free_str) char *suffix = rb_format("-%lld", (long long)at);
    if (pause)
        return add(f, &paused, suffix, at, rb_json_str(pause, "why"), err);
    return add(f, &halfway, suffix, at, rb_json_str(f->row, "said"), err);
}

static enum rb_code find_watch(const finding *f, rb_err *err)
{
    const json_t *watch = json_object_get(f->row, "watch");
    const char *message = rb_json_str(watch, "message");
    const char *outcome = rb_json_str(watch, "outcome");
    const int64_t seen = rb_json_int(watch, "detected", 0) / 1000;
    const int64_t end = rb_json_int(watch, "deadline", 0) / 1000;
    if (seen || rb_text_same(outcome, "failing"))
        RB_TRY(add(f, &detected, "", seen ? seen : end, message, err));
    if (rb_json_str(watch, "held"))
        RB_TRY(add(f, &held, "", seen, rb_json_str(watch, "held"), err));
    if (rb_json_int(watch, "escalated", 0))
        RB_TRY(add(f, &escalated, "", rb_json_int(watch, "escalated", 0) / 1000, message, err));
    if (rb_text_same(outcome, "reverted"))
        RB_TRY(add(f, &resolved, "", rb_json_int(watch, "restored", 0) / 1000, message, err));
    return RB_OK;
}

/* A transition that began before a command was configured has no event of its end. */
static enum rb_code find_all(finding *f, bool running, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *happened = NULL;
    RB_TRY(rb_state_happened(&happened, f->state, err));
    rb_json_each (row, happened) {
        f->row = row;
        const bool last = row_at + 1 == json_array_size(happened);
        if (!rb_json_str(row, "outcome"))
            RB_TRY(find_pending(f, running && last, err));
        else if (json_is_true(json_object_get(row, "begun")))
            RB_TRY(find_end(f, err));
        if (json_is_true(json_object_get(row, "begun")) && json_object_get(row, "watch"))
            RB_TRY(find_watch(f, err));
    }
    return rb_state_flush(f->state, err);
}

enum rb_code rb_notify_collect(json_t **out, const rb_env *env, rb_state *state, bool running,
                               rb_err *err)
{
    char commands[RB_NOTIFY_LIMIT][65];
    finding f = {.env = env, .state = state, .commands = commands};
    *out = NULL;
    for (size_t i = 0; i < env->notify_count; i++)
        hash_of(&env->notify[i], commands[i]);
    if (env->notify_count > 0) {
        RB_TRY(find_all(&f, running, err));
        return rb_state_notices(out, state, err);
    }
    *out = json_array();
    return RB_OK;
}

const char *rb_notify_program(const rb_env *env, const json_t *notice)
{
    for (size_t i = 0; i < env->notify_count; i++) {
        char hash[65];
        hash_of(&env->notify[i], hash);
        if (rb_text_same(rb_json_str(notice, "command"), hash))
            return env->notify[i].items[0];
    }
    return NULL;
}

/* Sends an event to a command. Returns why it failed, as a new string, or NULL. */
static char *send_one(const rb_env *env, const rb_strs *command, const json_t *event, int timeout)
{
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_free_str) char *name = rb_format("RBTOOL_ENV_NAME=%s", env->name);
    const char *extra[] = {name, NULL};
    rb_err why;
    rb_json_canonical(&text, event);
    rb_buf_addc(&text, '\n');
    const rb_process process = {
        .env = extra, .input = text.data, .input_len = text.len, .timeout = timeout, .tail = 1};
    enum rb_code code = rb_command_process(&result, env, command, NULL, process, &why);
    if (code == RB_OK)
        code = rb_process_judge(&result, "it", timeout, "", &why);
    return code == RB_OK ? NULL : rb_strdup(why.message);
}

static int seconds_left(int64_t began)
{
    const int left = BUDGET - (int)((rb_clock_ms() - began) / 1000);
    return left < LIMIT ? left : LIMIT;
}

void rb_notify_send(json_t *notices, const rb_env *env)
{
    const int64_t began = rb_clock_ms();
    for (size_t i = 0; i < env->notify_count; i++) {
        char hash[65];
        bool failing = false;
        hash_of(&env->notify[i], hash);
        rb_json_each (notice, notices) {
            const int left = seconds_left(began);
            if (failing || left <= 0 || !rb_text_same(rb_json_str(notice, "command"), hash))
                continue;
            RB_AUTO(rb_free_str)
            char *error = send_one(env, &env->notify[i], json_object_get(notice, "event"), left);
            failing = error != NULL;
            rb_json_set(notice, "tried:b error:s", true, error);
        }
    }
}

enum rb_code rb_notify_record(const json_t *notices, rb_state *state, rb_err *err)
{
    rb_json_each (notice, notices)
        if (json_is_true(json_object_get(notice, "tried")))
            RB_TRY(rb_state_notice_tried(state, rb_json_int(notice, "sequence", 0),
                                         rb_json_str(notice, "error"), err));
    return rb_state_flush(state, err);
}
