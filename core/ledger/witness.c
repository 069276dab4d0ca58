/* A tagger's clock can lie: the server's entry says when it saw the release at the latest. */
#include "ledger/guard.h"
#include "ledger/seen.h"

static enum rb_code witness(rb_refusals *out, rb_repo *repo, const rb_signers *signers,
                            const rb_tag *tag, rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    rb_oid id;
    enum rb_code code = rb_release_open_tag(&release, repo, signers, tag, &problems, err);
    if (code == RB_OK)
        return rb_ledger_see(&id, repo, release, true, NULL, NULL, err);
    if (code != RB_FOUND)
        return code;
    RB_AUTO(rb_free_str) char *name = rb_safe(tag->name);
    rb_refusals_add(out, rb_format("tag %s", name),
                    rb_format("is not in the ledger, since it does not verify: %s", err->message),
                    rb_strdup("is the hook pre-receive in its place? `rbtool init` on the server "
                              "puts it there"));
    out->items[out->n - 1].warning = true;
    return RB_OK;
}

enum rb_code rb_ledger_witness(rb_refusals *out, rb_repo *repo, const rb_pushes *pushes,
                               rb_err *err)
{
    RB_AUTO(rb_signers_freep) rb_signers *signers = NULL;
    for (size_t i = 0; i < pushes->n; i++) {
        const rb_pushed *pushed = &pushes->items[i];
        RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
        if (!pushed->tag || rb_oid_is_zero(&pushed->local) || !rb_oid_is_zero(&pushed->remote))
            continue;
        RB_TRY(rb_tag_read_object(&tag, repo, &pushed->local, pushed->tag, err));
        if (!tag->annotated || !rb_manifest_is_in(tag))
            continue;
        if (!signers)
            RB_TRY(rb_signers_load(&signers, repo, err));
        RB_TRY(witness(out, repo, signers, tag, err));
    }
    return RB_OK;
}
