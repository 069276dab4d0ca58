#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "env_session.h"
#include "transition/parts.h"
#include "ui.h"

static const rb_opt opts[] = {RB_OPTION_ENV, RB_OPTION_LOSS, RB_OPTION_BREAK,     RB_OPTION_WHY,
                              RB_OPTION_YES, RB_OPTION_JSON, {.kind = RB_OPT_END}};

/* A transition goes to one release: parts that come from several cannot go back as one. */
static enum rb_code refuse_several(const rb_site *site, const rb_recovery *recovery, rb_err *err)
{
    const rb_plan_request *rq = &recovery->request;
    bool several = false;
    for (int part = 0; part < RB_PARTS; part++)
        several = several || rq->part_from[part];
    if (!several)
        return RB_OK;
    RB_AUTO(rb_free_str) char *where = rb_parts_where(rq->live, rq->parts);
    return rb_fail(
        err, RB_DECIDE,
        "the %s of %s is committed, and its parts came from several releases (%s), so "
        "that they cannot go back as one\ncontinue it with `rbtool resume --env %s`, then "
        "move each part with `rbtool revert %s --to TAG --only PART --env %s`",
        rq->kind, site->env->name, where, site->env->name, rq->to->tag, site->env->name);
}

/* After the commit the way back is a transition of its own, under the same rules as any. */
static enum rb_code go_back(rb_cli *cli, rb_site *site, const rb_site_options *o, bool confirmed,
                            rb_recovery *recovery, rb_err *err)
{
    rb_recovery_clear(recovery);
    RB_TRY(rb_site_recovery(recovery, cli, site, true, err));
    if (!recovery->from)
        return rb_fail(err, RB_DECIDE,
                       "the first deploy of %s is committed and there is nothing to go back to\n"
                       "continue it with `rbtool resume --env %s`",
                       site->env->name, site->env->name);
    RB_TRY(refuse_several(site, recovery, err));
    rb_plan_request rq = recovery->request;
    memset(rq.unused, 0, sizeof rq.unused); /* by what is aborted they are */
    rq.kind = "abort";
    rq.command = rb_site_command(site, o, "abort", NULL);
    rq.from = recovery->to;
    rq.to = recovery->from;
    rq.overrides = NULL;
    rb_live moved = recovery->live; /* borrows */
    for (int part = 0; part < RB_PARTS; part++)
        if (rq.parts[part]) {
            moved.tag[part] = recovery->row->to;
            moved.object[part] = recovery->row->to_object;
        }
    rq.live = &moved;
    rq.rule = "what was live before the transition that is aborted";
    rb_site_options own = *o;
    own.confirmed = confirmed;
    return rb_site_carry_out(cli, site, &rq, &own, err);
}

/* Before the commit: the inverses of what was done. */
static enum rb_code undo(rb_cli *cli, const rb_site *site, const rb_recovery *recovery, rb_err *err)
{
    const rb_transition_row *row = recovery->row;
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    rb_control control = {0};
    rb_site_catch(&control);
    enum rb_code code = rb_recovery_abort(&document, recovery, site->env, site->state, err);
    rb_site_uncatch();
    bool goes_on = code == RB_OK && rb_text_same(row->kind, "abort");
    RB_AUTO(rb_free_str) char *parts = rb_parts_subject(row->plan);
    RB_AUTO(rb_free_str) char *was = rb_parts_was(row->plan);
    if (goes_on)
        rb_ui_note(cli, "undone: %s is back at %s", parts, was);
    else if (cli->json)
        rb_ui_json(cli, document);
    else if (code == RB_OK)
        rb_ui_line("aborted: %s is back at %s", parts, was);
    fflush(stdout);
    return code;
}

/*
 * To abort an abort that stopped half-way still means back: before its commit it is undone, and
 * then the transition that it was to go back from is aborted; after it, it is continued.
 */
static enum rb_code abort_it(rb_cli *cli, rb_site *site, const rb_site_options *o,
                             rb_recovery *recovery, rb_err *err)
{
    for (bool asked = false;; asked = true) {
        RB_TRY(rb_site_recovery(recovery, cli, site, false, err));
        const rb_transition_row *row = recovery->row;
        if (!row && !asked)
            return rb_site_nothing(cli, site, NULL, NULL, "no transition is half-way");
        if (!row)
            return RB_OK;
        bool back = rb_text_same(row->kind, "abort");
        bool committed = false;
        RB_TRY(rb_recovery_committed(&committed, recovery, site->env, site->state, err));
        RB_AUTO(rb_free_str)
        char *what = rb_format("undo the %s of %s from %s to %s, which %s", row->kind,
                               site->env->name, row->from ? row->from : "nothing", row->to,
                               !committed ? "is not committed"
                               : back ? "is committed: it is continued, since it goes back already"
                                      : "is committed: this is a transition back");
        rb_ui_note(cli, "%s (transition %s)", what, row->id);
        if (committed && !back) /* asks when it has shown its plan */
            return go_back(cli, site, o, asked, recovery, err);
        if (!asked)
            RB_TRY(rb_site_confirm(cli, o, what, err));
        if (committed) {
            rb_recovery_clear(recovery);
            RB_TRY(rb_site_recovery(recovery, cli, site, true, err));
            return rb_site_continue(cli, site, recovery, err);
        }
        RB_TRY(undo(cli, site, recovery, err));
        rb_site_record(cli, site);
        rb_recovery_clear(recovery);
    }
}

static enum rb_code run(rb_cli *cli, void *options, int argc, char **argv, rb_err *err)
{
    (void)argc;
    (void)argv;
    const rb_site_options *o = options;
    RB_AUTO(rb_site_close) rb_site site = {0};
    RB_AUTO(rb_recovery_clear) rb_recovery recovery = {0};
    RB_TRY(rb_site_open(&site, cli, o->env, true, err));
    return rb_site_halfway(&site, abort_it(cli, &site, o, &recovery, err), err);
}

const rb_command rb_cmd_abort = {
    .name = "abort",
    .args = "",
    .summary = "undo a transition that stopped half-way",
    .group = RB_GROUP_BREAKS,
    .opts = opts,
    .options_size = sizeof(rb_site_options),
    .min_args = 0,
    .max_args = 0,
    .changes = true,
    .run = run,
    .clear = rb_site_options_clear,
};
