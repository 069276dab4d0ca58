#include "deploy_watch.h"

#include <string.h>
#include <time.h>

#include "base/process.h"
#include "base/text.h"
#include "environment/checks.h"
#include "environment/state_watch.h"
#include "release_status.h"
#include "status.h"
#include "transition/service.h"
#include "ui.h"
#include "watch/watch.h"

#define TRIES 50           /* attempts to take the environment's lock, a tenth of a second apart */
#define LEAST 0.05         /* seconds between two rounds of checks, at least */
#define VALUES_EVERY 10000 /* milliseconds between two writes of measured values */

typedef struct watching {
    rb_cli *cli;
    rb_env_session *site; /* opened without lock and state, which enter() takes for a write */
    rb_lock *lock;        /* of the watch, not of the environment */
    json_t *watch;        /* the document that environment/state_watch.h describes */
    rb_release *release;  /* the release that is checked */
    json_t *failures;     /* failed checks of the last round */
    json_t *values;       /* measured in the last round: {CHECK: number} */
    int64_t values_at;    /* time when values were last written */
    bool written;         /* the result of the last round is in the state */
    rb_watch_window window;
    rb_control control;
    json_t *revert; /* the document of the automatic revert, or NULL */
} watching;

enum rb_code rb_deploy_watch_prepare(rb_env_session *site, int64_t seconds, const char *tag,
                                     rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    site->watch = seconds * 1000;
    RB_TRY(rb_session_release(&release, site->session, tag, NULL, err));
    if (rb_checks_count(site->env, NULL) + release->manifest->check_count > 0)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "there is nothing to watch: %s has no checks, and %s has no SQL checks\nadd one "
                   "under environments.%s.checks, or leave --watch out",
                   site->env->name, tag, site->env->name);
}

static void pass_time(double seconds)
{
    const struct timespec time = {.tv_sec = (time_t)seconds,
                                  .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    (void)nanosleep(&time, NULL); /* a signal ends the sleep */
}

static void leave(rb_env_session *site)
{
    rb_state_close(site->state);
    rb_lock_release(site->lock);
    site->state = NULL;
    site->lock = NULL;
}

/* Takes the environment's lock for a short write of its state. False if another run holds it. */
static bool enter(rb_env_session *site, int tries)
{
    while (rb_lock_take(&site->lock, site->env->root, RB_IGNORED) != RB_OK) {
        if (--tries <= 0)
            return false;
        pass_time(0.1);
    }
    if (rb_state_open(&site->state, site->env->root, true, RB_IGNORED) == RB_OK)
        return true;
    leave(site);
    return false;
}

static const char *text_of(const watching *w, const char *key)
{
    return rb_json_str(w->watch, key);
}

static int64_t time_of(const watching *w, const char *key)
{
    return rb_json_int(w->watch, key, 0);
}

static bool failing(const watching *w)
{
    return json_array_size(w->failures) > 0;
}

/* Writes the watch and the health to the state. If another run holds the environment, the next
 * round tries again. */
static void write_down(watching *w, int tries)
{
    rb_env_session *site = w->site;
    bool over = true;
    RB_AUTO(rb_json_freep) json_t *stored = NULL;
    RB_AUTO(rb_json_freep)
    json_t *health = rb_health_of_checks(w->failures, w->values, w->release->tag, false);
    if (!enter(site, tries))
        return;
    enum rb_code code = rb_state_watch(&stored, &over, site->state, RB_IGNORED);
    if (code == RB_OK && !over && rb_checks_count(site->env, NULL) > 0)
        code = rb_state_health_set(site->state, health, RB_IGNORED);
    if (code == RB_OK)
        code = rb_state_watch_set(site->state, w->watch, RB_IGNORED);
    if (code == RB_OK)
        code = rb_state_flush(site->state, RB_IGNORED);
    w->written = code == RB_OK;
    if (w->written && text_of(w, "outcome"))
        rb_env_session_record(w->cli, site);
    leave(site);
    if (w->written)
        rb_env_session_notify_unheld(w->cli, site);
}

static void end(watching *w, const char *outcome)
{
    rb_json_set_str(w->watch, "outcome", outcome);
    write_down(w, TRIES);
}

static void show_progress(const watching *w)
{
    int64_t until = time_of(w, "detected")
                        ? time_of(w, "detected") + (int64_t)(w->site->env->watch.escalate * 1000)
                        : time_of(w, "deadline");
    int64_t left = (until - rb_watch_now() + 999) / 1000;
    left = left > 0 ? left : 0;
    rb_ui_progress(w->cli, "%s %s: %d rounds of the checks, %d failed, %d:%02d left",
                   time_of(w, "detected") ? "hold" : "watch", w->release->tag,
                   (int)time_of(w, "rounds"), (int)time_of(w, "failed"), (int)(left / 60),
                   (int)(left % 60));
}

static void run_round(watching *w)
{
    const bool before = failing(w);
    const rb_checking checking = {.env = w->site->env,
                                  .from = text_of(w, "from"),
                                  .to = w->release->tag,
                                  .values = w->values,
                                  .before = json_object_get(w->watch, "valuesBefore"),
                                  .active = &w->control.active};
    show_progress(w);
    json_array_clear(w->failures);
    json_object_clear(w->values);
    rb_checks_round(w->failures, &checking, w->release, w->site->session->repo);
    if (w->control.cancelled)
        return;
    const int64_t now = rb_watch_now();
    rb_watch_add_values(json_object_get(w->watch, "values"), w->values, now - time_of(w, "began"));
    const json_t *first = json_array_get(w->failures, 0);
    rb_json_set(w->watch, "rounds:i failed:i", time_of(w, "rounds") + 1,
                time_of(w, "failed") + failing(w));
    if (failing(w))
        rb_json_set_str(w->watch, "message", rb_json_str(first, "message"));
    if (failing(w) && !time_of(w, "firstFailed"))
        rb_json_set(w->watch, "firstFailed:i", now);
    else if (!failing(w) && !time_of(w, "detected"))
        rb_json_set(w->watch, "firstFailed:0");
    if (failing(w) != before) {
        rb_ui_note(w->cli, failing(w) ? "watch: %s" : "watch: all checks pass again",
                   rb_json_str(first, "message"));
    }
    const bool due = json_object_size(w->values) > 0 && now >= w->values_at + VALUES_EVERY;
    w->values_at = due ? now : w->values_at;
    w->written = w->written && failing(w) == before && !due;
}

static bool is_over(const watching *w)
{
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    RB_AUTO(rb_json_freep) json_t *watch = NULL;
    bool over = false;
    return rb_state_open(&state, w->site->env->root, false, RB_IGNORED) == RB_OK && state &&
           rb_state_watch(&watch, &over, state, RB_IGNORED) == RB_OK && over;
}

/* Plans the automatic revert. RB_DECIDE if it would need a person's consent. */
static enum rb_code plan_back(rb_transition *t, rb_env_session *back, const watching *w,
                              rb_err *err)
{
    rb_options o = {.to = text_of(w, "from"), .env = back->env->name, .yes = true};
    rb_intent intent;
    bool loss;
    rb_json_each (part, json_object_get(w->watch, "only"))
        rb_strs_add(&o.only, json_string_value(part));
    enum rb_code code =
        rb_env_session_intent(&intent, back, &o, "revert", text_of(w, "release"), err);
    rb_strs_clear(&o.only);
    RB_TRY(code);
    RB_TRY(rb_env_session_plan(t, w->cli, back, &intent, err));
    RB_TRY(rb_watch_may_revert(t, err));
    return rb_transition_agree(&loss, t, false, NULL, false, err);
}

/* Reverts if no person has to decide. *ran: a transition began; the result is then that
 * transition's. */
static enum rb_code go_back(watching *w, bool *ran, rb_err *err)
{
    RB_AUTO(rb_env_session_close) rb_env_session back = {0};
    RB_AUTO(rb_transition_clear) rb_transition t = {0};
    RB_AUTO(rb_json_freep) json_t *stored = NULL;
    bool over;
    *ran = false;
    RB_TRY(rb_env_session_open(&back, w->cli, w->site->env->name, true, err));
    RB_TRY(rb_env_session_settled(&back, err));
    RB_TRY(rb_state_watch(&stored, &over, back.state, err));
    if (over || !rb_text_same(rb_json_str(stored, "transition"), text_of(w, "transition")))
        return rb_fail(err, RB_DECIDE, "another transition ran");
    RB_TRY(plan_back(&t, &back, w, err));
    rb_env_session_show_plan(w->cli, t.plan, false, true);
    RB_TRY(rb_state_watch_set(back.state, w->watch, err));
    RB_AUTO(rb_json_freep) json_t *nothing = json_array();
    rb_run run = {.plan = t.plan, .request = &t.request, .state = back.state, .agreed = nothing};
    back.undoes = text_of(w, "transition");
    *ran = true;
    enum rb_code code = rb_env_session_run(w->cli, &back, &run, true, err);
    rb_json_replace(&w->revert, back.document);
    RB_AUTO(rb_json_freep) json_t *now = NULL;
    if (rb_state_watch(&now, &over, back.state, RB_IGNORED) == RB_OK && now)
        rb_json_replace(&w->watch, now);
    return code;
}

/* Opens the release that is live now. After an automatic revert that is the source release. */
static enum rb_code open_release(watching *w, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_live_clear) rb_live live = {0};
    const char *tag = text_of(w, "from");
    RB_TRY(rb_state_live(&live, state, err));
    for (int part = 0; part < RB_PARTS; part++)
        if (rb_text_same(live.tag[part], text_of(w, "release")))
            tag = text_of(w, "release");
    rb_release_free(w->release);
    w->release = NULL;
    return rb_session_release(&w->release, w->site->session, tag ? tag : text_of(w, "release"),
                              NULL, err);
}

static void hold(watching *w, const char *why)
{
    rb_json_set_str(w->watch, "held", why);
    w->written = false;
    RB_AUTO(rb_free_str)
    char *back = rb_release_way_back(w->cli, w->site->env, w->release->tag, false);
    rb_ui_note(w->cli,
               "<red>HOLD</>: %s fails its checks in %s and does not go back by itself: %s; %s; "
               "the checks go on",
               w->release->tag, w->site->env->name, why, back);
}

/* Decides what follows an automatic revert that began. RB_OK: the watch goes on and holds. */
static enum rb_code after_revert(watching *w, enum rb_code code, rb_err *err)
{
    const char *env = w->site->env->name;
    const char *tag = text_of(w, "release");
    const char *outcome = rb_json_str(w->revert, "outcome");
    if (code == RB_OK)
        return rb_fail(err, RB_FOUND,
                       "%s failed its checks in %s and was reverted to %s: %s\nsee what happened "
                       "with `rbtool log --env %s`",
                       tag, env, text_of(w, "from"), text_of(w, "message"), env);
    if (code == RB_HALFWAY)
        return code;
    rb_err why = *err;
    if (rb_text_same(outcome, "unhealthy") || rb_text_same(outcome, "down")) {
        rb_err ignored;
        if (enter(w->site, TRIES)) {
            if (open_release(w, w->site->state, &ignored) != RB_OK)
                rb_ui_note(w->cli, "%s", rb_err_line(&ignored));
            leave(w->site);
        }
        hold(w, "the checks fail on the release that it went back to as well, so that nothing was "
                "marked bad");
        return w->release ? RB_OK : rb_fail(err, RB_DECIDE, "%s", why.message);
    }
    RB_AUTO(rb_free_str) char *text = rb_format("the revert failed: %s", why.message);
    hold(w, text);
    return RB_OK;
}

/* Acts on checks that failed too often: reverts or holds. RB_OK: the watch goes on and holds. */
static enum rb_code act(watching *w, rb_err *err)
{
    const rb_env *env = w->site->env;
    bool ran = false;
    rb_json_set(w->watch, "detected:i", rb_watch_now());
    RB_AUTO(rb_free_str)
    char *setting = rb_format("environments.%s.watch.onFailure is \"hold\"", env->name);
    const char *why = !env->watch.reverts ? setting : text_of(w, "blocked");
    if (why) {
        hold(w, why);
        return RB_OK;
    }
    rb_ui_note(w->cli, "watch: %s has failed its checks; trying to go back to %s", w->release->tag,
               text_of(w, "from"));
    rb_env_session_uncatch();
    enum rb_code code = go_back(w, &ran, err);
    rb_env_session_catch(&w->control);
    if (ran)
        return after_revert(w, code, err);
    hold(w, rb_err_line(err));
    return RB_OK;
}

static enum rb_code stopped(watching *w, rb_err *err)
{
    const char *env = w->site->env->name;
    const char *tag = w->release->tag;
    rb_process_go_on(); /* programs that run from now on are ended only by another signal */
    write_down(w, TRIES);
    if (time_of(w, "detected")) {
        end(w, "held");
        RB_AUTO(rb_free_str) char *back = rb_release_way_back(w->cli, w->site->env, tag, false);
        return rb_fail(err, RB_DECIDE, "%s is held in %s: %s; stopped by a signal\n%s", tag, env,
                       text_of(w, "message"), back);
    }
    return rb_fail(err, RB_FOUND,
                   "%s is live in %s, and its watch was stopped by a signal\ncontinue it until its "
                   "deadline with `rbtool resume --env %s`",
                   tag, env, env);
}

static enum rb_code overtaken(watching *w, rb_err *err)
{
    const char *env = w->site->env->name;
    bool detected = time_of(w, "detected") != 0;
    end(w, detected ? "held" : "superseded");
    if (detected)
        return rb_fail(err, RB_FOUND,
                       "%s failed its checks in %s, and another transition took over\nsee what is "
                       "live with `rbtool status --env %s`",
                       text_of(w, "release"), env, env);
    rb_ui_note(w->cli, "another transition began in %s: the watch of %s ends", env,
               text_of(w, "release"));
    return RB_OK;
}

static enum rb_code at_deadline(watching *w, rb_err *err)
{
    const char *env = w->site->env->name;
    const char *tag = w->release->tag;
    end(w, failing(w) ? "failing" : "passed");
    if (failing(w)) {
        RB_AUTO(rb_free_str) char *back = rb_release_way_back(w->cli, w->site->env, tag, false);
        return rb_fail(err, RB_FOUND,
                       "the watch of %s in %s ends while its checks fail: %s\n%s, or check again "
                       "with `rbtool check --env %s`",
                       tag, env, text_of(w, "message"), back, env);
    }
    if (!w->cli->json)
        rb_ui_line("<green>watched</>: %s passed %d rounds of the checks in %s, %d failed", tag,
                   (int)time_of(w, "rounds"), env, (int)time_of(w, "failed"));
    return RB_OK;
}

static enum rb_code escalate(watching *w, rb_err *err)
{
    const char *env = w->site->env->name;
    const char *tag = w->release->tag;
    rb_json_set(w->watch, "escalated:i", rb_watch_now());
    end(w, "held");
    RB_AUTO(rb_free_str) char *back = rb_release_way_back(w->cli, w->site->env, tag, false);
    return rb_fail(err, RB_DECIDE, "%s is held in %s, and nobody acted within %.0f s: %s (%s)\n%s",
                   tag, env, w->site->env->watch.escalate, text_of(w, "message"),
                   text_of(w, "held"), back);
}

static enum rb_code watch(watching *w, rb_err *err)
{
    const rb_env_watch *settings = &w->site->env->watch;
    for (;;) {
        run_round(w);
        if (w->control.cancelled)
            return stopped(w, err);
        if (is_over(w))
            return overtaken(w, err);
        int64_t detected = time_of(w, "detected");
        if (!detected && rb_watch_add(&w->window, settings, failing(w)))
            RB_TRY(act(w, err));
        else if (!detected && rb_watch_now() >= time_of(w, "deadline"))
            return at_deadline(w, err);
        else if (detected && rb_watch_now() >= detected + (int64_t)(settings->escalate * 1000))
            return escalate(w, err);
        if (!w->written)
            write_down(w, 1);
        double left = (double)(time_of(w, "deadline") - rb_watch_now()) / 1000;
        double next = settings->interval > LEAST ? settings->interval : LEAST;
        pass_time(!detected && left > LEAST && left < next ? left : next);
    }
}

/* Prints the document of the watched transition, with the watch and how it ended. */
static void print_document(watching *w, enum rb_code code, const rb_err *err)
{
    rb_env_session *site = w->site;
    json_t *doc = site->document
                      ? json_incref(site->document)
                      : rb_json_make("from:s to:s environment:s transition:s outcome:s steps:j",
                                     text_of(w, "from"), text_of(w, "release"), site->env->name,
                                     text_of(w, "transition"), "done", json_array());
    json_t *view = rb_status_watch(w->watch);
    json_object_set_new(view, "revert", w->revert ? json_incref(w->revert) : json_null());
    rb_json_set(doc, "watch:j error:j", view, code == RB_OK ? NULL : rb_err_json(err));
    rb_ui_document(w->cli, doc);
}

static enum rb_code begin(watching *w, rb_err *err)
{
    rb_env_session *site = w->site;
    RB_TRY(rb_state_watch_open(&w->watch, site->state, err));
    if (!w->watch)
        return rb_fail(err, RB_ERROR, "nothing is watched in %s", site->env->name);
    RB_TRY(rb_lock_take_watch(&w->lock, site->env->root, err));
    return open_release(w, site->state, err);
}

enum rb_code rb_deploy_watch(rb_cli *cli, rb_env_session *site, rb_err *err)
{
    watching w = {.cli = cli,
                  .site = site,
                  .failures = json_array(),
                  .values = json_object(),
                  .written = true};
    enum rb_code code = begin(&w, err);
    if (code == RB_OK) {
        RB_AUTO(rb_free_str) char *until = rb_status_time(time_of(&w, "deadline") / 1000);
        leave(site);
        rb_ui_note(cli, "watching %s in %s until %s", w.release->tag, site->env->name, until);
        rb_env_session_catch(&w.control);
        code = watch(&w, err);
        rb_env_session_uncatch();
    }
    if (cli->json && w.watch)
        print_document(&w, code, err);
    rb_lock_release(w.lock);
    rb_release_free(w.release);
    json_decref(w.watch);
    json_decref(w.failures);
    json_decref(w.values);
    json_decref(w.revert);
    return code;
}
