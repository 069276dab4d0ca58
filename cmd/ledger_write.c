#include "ledger_write.h"

#include "ledger/sync.h"
#include "ui.h"

enum rb_code rb_ledger_write_ready(rb_cli *cli, bool begins, rb_err *err)
{
    RB_AUTO(rb_free_str) char *fetched = NULL;
    RB_TRY(rb_session_signers(&cli->session, err));
    rb_repo *repo = cli->session.repo;
    const rb_signers *signers = cli->session.signers;
    RB_TRY(rb_ledger_ready(&fetched, repo, signers, begins, err));
    if (fetched) {
        rb_session_ledger_changed(&cli->session);
        rb_ui_note(cli, "this clone had no ledger: fetched that of %s", fetched);
    }
    return RB_OK;
}

enum rb_code rb_ledger_write_signer(rb_caller *out, rb_cli *cli, const char *key, const char *what,
                                    rb_err *err)
{
    RB_TRY(rb_ledger_write_ready(cli, true, err)); /* a first entry begins the ledger */
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_TRY(rb_caller_find(out, cli->session.repo, cli->session.signers, key, true, err));
    if (!out->principal)
        return rb_fail(err, RB_ERROR, "%s must be signed: %s", what, out->why);
    return RB_OK;
}

enum rb_code rb_ledger_write_caller(rb_caller *out, rb_cli *cli, enum rb_role role, const char *key,
                                    const char *what, rb_err *err)
{
    RB_TRY(rb_ledger_write_signer(out, cli, key, what, err));
    if (rb_policy_allows(cli->session.policy, role, out->principal, out->fingerprint))
        return RB_OK;
    RB_AUTO(rb_free_str) char *why = rb_policy_refusal(cli->session.policy, role, out->fingerprint);
    return rb_fail(err, RB_FOUND, "%s by %s (key %s) would not count: %s", what, out->principal,
                   out->fingerprint, why);
}

enum rb_code rb_ledger_write_app(const char **out, rb_cli *cli, rb_err *err)
{
    RB_TRY(rb_repo_setting(out, cli->session.repo, "rbtool.app", err));
    RB_TRY(rb_session_ledger(&cli->session, err));
    if ((*out && **out) || cli->session.ledger->n > 0) {
        *out = NULL; /* rb_ledger_append() finds the name itself */
        return RB_OK;
    }
    RB_TRY(rb_session_settings(&cli->session, err));
    *out = cli->session.settings->app_name;
    return RB_OK;
}

enum rb_code rb_ledger_write_entry(rb_oid *out, rb_cli *cli, const rb_draft *draft, rb_err *err)
{
    rb_draft own = *draft;
    if (!own.detail)
        return rb_fail(err, RB_ERROR, "the reason given with -m is not UTF-8");
    RB_TRY(rb_ledger_write_app(&own.app, cli, err));
    RB_TRY(rb_ledger_append(out, cli->session.repo, &own, err));
    rb_session_ledger_changed(&cli->session);
    return RB_OK;
}

void rb_ledger_write_hint(const rb_cli *cli)
{
    rb_ui_note(cli, "others see it after `rbtool sync`");
}

rb_ledger_write_hex rb_ledger_write_id(const rb_oid *id)
{
    rb_ledger_write_hex out = {0};
    rb_oid_hex(id, out.hex);
    return out;
}

json_t *rb_ledger_write_document(const rb_draft *draft, const rb_caller *caller, const rb_oid *id)
{
    return rb_json_make("kind:s tag:s object:s environment:s verdict:s by:s outcome:s entry:s",
                        rb_entry_kind_name(draft->kind), draft->tag, draft->object,
                        draft->environment, rb_json_str(draft->detail, "verdict"),
                        caller->principal, id ? "done" : "nothing",
                        id ? rb_ledger_write_id(id).hex : NULL);
}
