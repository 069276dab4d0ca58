/*
 * fill_ledger DIR NUMBER: so many entries at the tip of DIR's ledger, written by the program's own
 * code, signed by git's user.signingKey. A ref that moves once makes it quick.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <git2.h>

#include "git/refs.h"
#include "ledger/ledger.h"

#define START 1700000000
#define RELEASES 100 /* that the entries are about */

/* Verdicts and, every tenth, a deployment. */
static json_t *detail_of(enum rb_entry_kind kind, long i)
{
    if (kind == RB_ENTRY_VERDICT)
        return json_pack("{s:s, s:s, s:n}", "verdict", "good", "why", "ran for a day without fault",
                         "transition");
    return json_pack("{s:s, s:s, s:n, s:n, s:s, s:s, s:n, s:s, s:I, s:I, s:[{s:s, s:s, s:i}], s:n, "
                     "s:n, s:b, s:b, s:b}",
                     "id", "0123456789abcdef", "kind", "deploy", "from", "fromObject", "to", "v1",
                     "toObject", "0123456789012345678901234567890123456789", "digest", "outcome",
                     "done", "started", (json_int_t)(START + i), "finished",
                     (json_int_t)(START + i + 2), "steps", "id", "stage", "outcome", "done",
                     "milliseconds", 12, "error", "acceptedLoss", "acceptedDrift", 0,
                     "acceptedReverted", 0, "whole", 1);
}

static enum rb_code fill(rb_repo *repo, long number, rb_err *err)
{
    rb_ref ref;
    rb_oid tip;
    RB_TRY(rb_ref_read(&ref, repo, RB_LEDGER_REF, err));
    tip = ref.object;
    for (long i = 0; i < number; i++) {
        enum rb_entry_kind kind = i % 10 == 9 ? RB_ENTRY_TRANSITION : RB_ENTRY_VERDICT;
        RB_AUTO(rb_json_freep) json_t *detail = detail_of(kind, i);
        RB_AUTO(rb_free_str) char *tag = rb_format("v1.%ld.0", i % RELEASES);
        RB_AUTO(rb_free_str)
        char *who = rb_format("Ops <ops@example.com> %" PRId64 " +0000", (int64_t)START + i);
        const rb_draft draft = {.kind = kind,
                                .app = "shop",
                                .tag = tag,
                                .object = "0123456789012345678901234567890123456789",
                                .environment = kind == RB_ENTRY_TRANSITION ? "prod" : NULL,
                                .title = kind == RB_ENTRY_VERDICT ? "good" : "done",
                                .detail = detail,
                                .committer = who};
        bool first = i == 0 && !ref.exists;
        RB_TRY(rb_ledger_write(&tip, repo, &draft, &tip, first ? 0 : 1, err));
    }
    return rb_ref_move(repo, RB_LEDGER_REF, &tip, ref.exists ? &ref.object : NULL, err);
}

int main(int argc, char **argv)
{
    rb_err err = {0};
    RB_AUTO(rb_repo_closep) rb_repo *repo = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: fill_ledger DIR NUMBER\n");
        return RB_ERROR;
    }
    enum rb_code code = rb_repo_open(&repo, argv[1], &err);
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 0); /* nothing here must outlive a power cut */
    if (code == RB_OK)
        code = fill(repo, atol(argv[2]), &err);
    if (code != RB_OK)
        fprintf(stderr, "fill_ledger: %s\n", err.message);
    return (int)code;
}
