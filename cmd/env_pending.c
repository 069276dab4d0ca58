/* Transitions that have begun and not ended, and the lock of those at work. */
#include "env_session.h"

enum rb_code rb_site_pending(rb_transition_row **out, char **holder, const rb_site *site,
                             rb_err *err)
{
    *out = NULL;
    *holder = NULL;
    if (site->state)
        RB_TRY(rb_state_pending(out, site->state, err));
    if (site->lock)
        return RB_OK;
    *holder = rb_lock_holder(site->env->root);
    if (!*out || *holder)
        return RB_OK;
    rb_transition_row_free(*out); /* it may have ended between the two looks */
    *out = NULL;
    return rb_state_pending(out, site->state, err);
}

enum rb_code rb_site_settled(const rb_site *site, rb_err *err)
{
    RB_AUTO(rb_transition_row_freep) rb_transition_row *row = NULL;
    RB_AUTO(rb_free_str) char *holder = NULL;
    RB_TRY(rb_site_pending(&row, &holder, site, err));
    if (!row)
        return RB_OK;
    if (holder)
        return rb_fail(err, RB_BUSY,
                       "another run holds the environment (%s): the %s of %s from %s to %s is at "
                       "work (transition %s)\nwait for it, and see its step with `rbtool status "
                       "--env %s`",
                       holder, row->kind, site->env->name, row->from ? row->from : "nothing",
                       row->to, row->id, site->env->name);
    return rb_fail(
        err, RB_HALFWAY,
        "the %s of %s from %s to %s stopped half-way (transition %s)\ncontinue it with `rbtool "
        "resume --env %s`, or go back with `rbtool abort --env %s`",
        row->kind, site->env->name, row->from ? row->from : "nothing", row->to, row->id,
        site->env->name, site->env->name);
}

enum rb_code rb_site_halfway(const rb_site *site, enum rb_code code, rb_err *err)
{
    RB_AUTO(rb_transition_row_freep) rb_transition_row *row = NULL;
    rb_err ignored;
    if (code == RB_FOUND && site->state && rb_state_pending(&row, site->state, &ignored) == RB_OK &&
        row)
        code = err->code = RB_HALFWAY;
    return code;
}

enum rb_code rb_site_lock(rb_site *site, rb_err *err)
{
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    rb_err unreadable;
    enum rb_code code = rb_lock_take(&site->lock, site->env->root, err);
    if (code != RB_BUSY || rb_state_open(&state, site->env->root, false, &unreadable) != RB_OK)
        return code;
    rb_err held = *err;
    site->state = state;
    code = rb_site_settled(site, err);
    site->state = NULL;
    if (code != RB_BUSY)
        *err = held;
    return RB_BUSY;
}
