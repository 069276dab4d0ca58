#include "ledger/sync.h"
#include "commands.h"
#include "site.h"
#include "ui.h"

struct options {
    bool unused;
};

static const rb_opt opts[] = {RB_OPTION_JSON, {.kind = RB_OPT_END}};

static void print(rb_cli *cli, const rb_sync *sync)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(&sync->tip, hex);
    if (cli->json) {
        RB_AUTO(rb_json_freep) json_t *document = json_object();
        rb_json_set_str(document, "remote", sync->remote);
        json_object_set_new(document, "received", json_integer((json_int_t)sync->received));
        json_object_set_new(document, "sent", json_integer((json_int_t)sync->sent));
        json_object_set_new(document, "merged", json_boolean(sync->merged));
        rb_json_set_str(document, "tip", sync->exists ? hex : NULL);
        rb_ui_json(cli, document);
        return;
    }
    RB_AUTO(rb_free_str) char *name = rb_safe(sync->remote);
    RB_AUTO(rb_free_str) char *received = rb_ui_count(sync->received);
    RB_AUTO(rb_free_str) char *sent = rb_ui_count(sync->sent);
    if (!sync->exists)
        rb_ui_line("%s: no ledger there and none here", name);
    else
        rb_ui_line("%s: %s received, %s sent%s; both are at %.10s", name, received, sent,
                   sync->merged ? ", joined" : "", hex);
}

static enum rb_code run_sync(rb_cli *cli, void *options, int argc, char **argv, rb_err *err)
{
    (void)options;
    rb_repo *repo;
    const rb_signers *signers;
    RB_AUTO(rb_sync_clear) rb_sync sync = {0};
    RB_TRY(rb_cli_repo(&repo, cli, err));
    RB_TRY(rb_cli_signers(&signers, cli, err));
    rb_site_catch_up(cli);
    RB_TRY(rb_ledger_sync(&sync, repo, signers, argc > 0 ? argv[0] : NULL, err));
    print(cli, &sync);
    return RB_OK;
}

const rb_command rb_cmd_sync = {
    .name = "sync",
    .args = "[REMOTE]",
    .summary = "exchange the ledger with a remote",
    .details =
        "Default: the branch's remote, else origin, else the only one. Writes what transitions of\n"
        "this host have not told the ledger yet, fetches what others wrote, joins the two\n"
        "histories where both went on (a signed entry of kind merge), pushes what is new there.\n"
        "Nothing is rewritten on either side. A remote whose ledger was truncated, rewritten or\n"
        "deleted since the last sync, or holds what is no entry, is refused (exit 1): what it\n"
        "withholds is named, and the ledger here stays as it is. What a remote had last is\n"
        "refs/rbtool/remotes/REMOTE/ledger.",
    .opts = opts,
    .options_size = sizeof(struct options),
    .min_args = 0,
    .max_args = 1,
    .changes = true,
    .run = run_sync,
};
