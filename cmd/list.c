#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "ledger/history.h"
#include "release_status.h"
#include "status.h"
#include "trust/signers.h"
#include "ui.h"

static const rb_opt opts[] = {RB_FLAG("no-cache", 0, "verify every signature again", no_cache),
                              RB_OPTION_JSON, RB_OPTIONS_END};

/* Returns the JSON row of a release. One that does not verify has no verdict. */
static json_t *to_json(const rb_chain_item *item, rb_cli *cli)
{
    const rb_listed_release *release = item->listed;
    RB_AUTO(rb_free_str) char *why = NULL;
    const char *verdict = release ? rb_release_verdict(&why, cli, item->tag, item->object) : NULL;
    RB_AUTO(rb_free_str) char *date = release ? rb_status_iso(release->time) : NULL;
    return rb_json_make("tag:t object:s version:s date:s signer:s verdict:s reason:s overrides:j "
                        "unapproved:j broken:j "
                        "class:s here:b ok:b",
                        item->tag, *item->object ? item->object : NULL,
                        release ? release->version : NULL, date, release ? release->signer : NULL,
                        verdict, why, rb_release_overrides(cli, item->object, NULL),
                        rb_release_broken(cli, item->object, NULL, true),
                        rb_release_broken(cli, item->object, NULL, false),
                        release ? release->class_ : NULL, !item->lost,
                        release && !rb_problems_any(&item->problems));
}

/* Adds the reason why a release does not verify. The table shows it in place of the verdict. */
static void add_fault(json_t *row, const rb_chain_item *item)
{
    const char *code = item->listed ? NULL : item->problems.items[0].code;
    for (size_t i = 0; i < item->problems.n && !code; i++)
        code = item->problems.items[i].warning ? NULL : item->problems.items[i].code;
    RB_AUTO(rb_free_str) char *bad = code ? rb_format("BAD (%s)", code) : NULL;
    rb_json_set(row, "fault:s", code && rb_chain_is_absent(item) ? "not here" : bad);
    if (code)
        rb_json_set(row, "verdict:s overrides:0 unapproved:0 broken:0", "");
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    static const rb_ui_column columns[] = {
        {"TAG", "{tag}"},
        {"VERSION", "{version|-}"},
        {"DATE", "{date:minute|-}"},
        {"SIGNER", "{signer|-}"},
        {"VERDICT", "{fault}{verdict|-}[ (OVERRIDE){overrides}][ (UNAPPROVED){unapproved}]"
                    "[ (RULE BROKEN){broken}]"},
        {"CLASS", "{class|-}"},
    };
    RB_AUTO(rb_chain_freep) rb_chain *chain = NULL;
    const rb_chain_more how = {.fresh = o->no_cache};
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_TRY(rb_history_load(&chain, cli->session.policy, &how, err));
    if (chain->n == 0 && !cli->json) {
        rb_ui_note(cli, "there is no release here yet; `rbtool release TAG` makes one");
        return RB_OK;
    }
    rb_ui_rows rows = {cli, "releases", columns, sizeof columns / sizeof *columns, {0}, {0}};
    for (size_t i = 0; i < chain->n; i++) {
        json_t *row = to_json(&chain->items[i], cli);
        if (!cli->json)
            add_fault(row, &chain->items[i]);
        rb_ui_rows_add(&rows, row);
    }
    rb_ui_rows_print(&rows, NULL);
    if (cli->json)
        return RB_OK;
    rb_err why;
    if (rb_signers_need(cli->session.signers, &why) != RB_OK)
        rb_ui_note(cli, "no release is verified: %s", rb_err_line(&why));
    return RB_OK;
}

RB_COMMAND(list, "", "list releases, newest first", RB_GROUP_RELEASE, 0, 0, RB_PAGES);
