/* Sends the environment's events to its notify commands. */
#include "base/process.h"
#include "base/text.h"
#include "env_session.h"
#include "environment/state_notice.h"
#include "ui.h"
#include "watch/notify.h"

static void show_failed(const rb_cli *cli, const rb_env_session *site, const json_t *notices)
{
    rb_json_each (notice, notices) {
        const char *error = rb_json_str(notice, "error");
        const char *program = rb_notify_program(site->env, notice);
        if (json_is_true(json_object_get(notice, "tried")) && error && program)
            rb_ui_note(cli, "notify: %s did not take %s: %s; the next command of %s sends it again",
                       program, rb_json_str(json_object_get(notice, "event"), "type"), error,
                       site->env->name);
    }
}

void rb_env_session_notify(rb_cli *cli, rb_env_session *site, bool running)
{
    RB_AUTO(rb_json_freep) json_t *notices = NULL;
    rb_err why;
    enum rb_code code = rb_notify_collect(&notices, site->env, site->state, running, &why);
    if (code == RB_OK) {
        rb_notify_send(notices, site->env);
        code = rb_notify_record(notices, site->state, &why);
    }
    if (code != RB_OK)
        rb_ui_note(cli, "notify: %s", rb_err_line(&why));
    show_failed(cli, site, notices);
}

typedef enum rb_code (*held_work)(json_t **notices, const rb_env_session *site, rb_state *state,
                                  rb_err *err);

static enum rb_code collect(json_t **notices, const rb_env_session *site, rb_state *state,
                            rb_err *err)
{
    return rb_notify_collect(notices, site->env, state, false, err);
}

static enum rb_code write_results(json_t **notices, const rb_env_session *site, rb_state *state,
                                  rb_err *err)
{
    (void)site;
    return rb_notify_record(*notices, state, err);
}

/* Runs `work` under the environment's lock, and releases the lock directly afterwards. */
static enum rb_code hold(json_t **notices, const rb_env_session *site, held_work work, rb_err *err)
{
    RB_AUTO(rb_lock_releasep) rb_lock *lock = NULL;
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    RB_TRY(rb_lock_take(&lock, site->env->root, err));
    RB_TRY(rb_state_open(&state, site->env->root, true, err));
    return work(notices, site, state, err);
}

void rb_env_session_notify_unheld(rb_cli *cli, const rb_env_session *site)
{
    RB_AUTO(rb_json_freep) json_t *notices = NULL;
    rb_err ignored; /* the next command that changes the environment tries again */
    if (site->env->notify_count == 0 || hold(&notices, site, collect, &ignored) != RB_OK ||
        json_array_size(notices) == 0)
        return;
    rb_notify_send(notices, site->env);
    (void)!hold(&notices, site, write_results, &ignored);
    show_failed(cli, site, notices);
}

enum rb_code rb_env_session_undelivered(json_t *list, const rb_env_session *site, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *notices = NULL;
    RB_TRY(rb_state_notices(&notices, site->state, err));
    rb_json_each (notice, notices) {
        const char *program = rb_notify_program(site->env, notice);
        const json_t *event = json_object_get(notice, "event");
        if (program)
            json_array_append_new(
                list, rb_json_make("id:J type:J time:J command:s attempts:J error:J",
                                   json_object_get(event, "id"), json_object_get(event, "type"),
                                   json_object_get(event, "time"), program,
                                   json_object_get(notice, "attempts"),
                                   json_object_get(notice, "error")));
    }
    return RB_OK;
}
