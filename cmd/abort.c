#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "env_session.h"
#include "transition/backups.h"
#include "transition/parts.h"
#include "transition/segments.h"
#include "ui.h"

static const rb_opt opts[] = {RB_OPTION_ENV,       RB_OPTION_LOSS,      RB_OPTION_NO_BACKUP,
                              RB_OPTION_BREAK,     RB_OPTION_WHY,       RB_OPTION_LOCK,
                              RB_OPTION_STATEMENT, RB_OPTION_TERMINATE, RB_OPTION_YES,
                              RB_OPTION_JSON,      RB_OPTIONS_END};

/* Undoes a transition that is not committed: runs the inverses of the steps that were done. */
static enum rb_code undo(rb_cli *cli, const rb_env_session *site, rb_transition *t, rb_err *err)
{
    const rb_transition_row *row = t->row;
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    rb_control control = {0};
    rb_env_session_catch(&control);
    enum rb_code code = rb_transition_undo(&document, t, site->env, site->state, err);
    rb_env_session_uncatch();
    bool goes_on = code == RB_OK && rb_text_same(row->kind, "abort");
    RB_AUTO(rb_free_str) char *parts = rb_parts_subject(row->plan);
    RB_AUTO(rb_free_str) char *was = rb_parts_was(row->plan);
    if (goes_on)
        rb_ui_note(cli, "undone: %s is back at %s", parts, was);
    else if (cli->json)
        rb_ui_json(cli, document);
    else if (code == RB_OK)
        rb_ui_line("aborted: %s is back at %s", parts, was);
    if (code == RB_OK && rb_backups_have(site->state, row->id))
        rb_ui_note(cli,
                   "what its committed scripts destroyed is in a backup: `rbtool restore %s --env "
                   "%s` restores it",
                   row->id, site->env->name);
    fflush(stdout);
    return code;
}

/*
 * An abort can stop half-way, too. Aborting it before its commit undoes it, and then aborts the
 * transition that it was to revert. After its commit it is continued.
 */
static enum rb_code abort_it(rb_cli *cli, rb_env_session *site, rb_options *o, rb_transition *t,
                             rb_err *err)
{
    for (bool asked = false;; asked = true) {
        RB_TRY(rb_transition_load(t, site->session, site->env, site->state, false, err));
        const rb_transition_row *row = t->row;
        if (!row && !asked)
            return rb_env_session_nothing(cli, site, NULL, NULL, "no transition is half-way");
        if (!row)
            return RB_OK;
        rb_env_session_set_timeouts(site->env, o, row->plan);
        bool back = rb_text_same(row->kind, "abort");
        bool committed = false;
        RB_TRY(rb_transition_committed(&committed, t, site->env, site->state, err));
        RB_AUTO(rb_free_str)
        char *what = rb_format("undo the %s of %s from %s to %s, which %s", row->kind,
                               site->env->name, row->from ? row->from : "nothing", row->to,
                               !committed ? "is not committed"
                               : back ? "is committed: it is continued, since it goes back already"
                                      : "is committed: this is a transition back");
        rb_ui_note(cli, "%s (transition %s)", what, row->id);
        if (committed && !back) { /* a transition back, planned and judged like any other */
            o->confirmed = asked; /* without it, carry_out() asks once it has shown the plan */
            return rb_env_session_carry_out(cli, site, o, "abort", NULL, err);
        }
        if (!asked)
            RB_TRY(rb_env_session_confirm(cli, o, what, err));
        if (committed) {
            rb_transition_clear(t);
            RB_TRY(rb_transition_load(t, site->session, site->env, site->state, true, err));
            return rb_env_session_continue(cli, site, t, o, err);
        }
        if (rb_segments_in(
                row->plan)) { /* undoing needs the down scripts of the releases: load those, too */
            rb_transition_clear(t);
            RB_TRY(rb_transition_load(t, site->session, site->env, site->state, true, err));
        }
        enum rb_code code = undo(cli, site, t, err);
        if (code == RB_OK)
            rb_env_session_record(cli, site);
        rb_env_session_notify(cli, site, false);
        RB_TRY(code);
        rb_transition_clear(t);
    }
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    RB_AUTO(rb_transition_clear) rb_transition t = {0};
    RB_TRY(rb_env_session_open(&site, cli, o->env, true, err));
    return rb_env_session_halfway(&site, abort_it(cli, &site, o, &t, err), err);
}

RB_COMMAND(abort, "", "undo a transition that stopped half-way", RB_GROUP_BREAKS, 0, 0, RB_CHANGES);
