/*
 * fill_ledger DIR NUMBER [transitions]: so many entries at the tip of DIR's ledger, written by the
 * program's own code, signed by git's user.signingKey. With `transitions` each is a deploy or,
 * every fifth, a revert of DIR's releases. A ref that moves once makes it quick.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <git2.h>

#include "git/refs.h"
#include "git/tag.h"
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

/* A move between two releases, with eight steps. */
static json_t *transition_of(const char *from, const char *from_object, const char *to,
                             const char *to_object, bool revert, long i)
{
    static const char *const ids[] = {"stage",  "flags",  "stop",  "database",
                                      "switch", "config", "start", "checks"};
    json_t *steps = json_array();
    RB_AUTO(rb_free_str) char *id = rb_format("20261122T100000Z-%08lx", i);
    for (long k = 0; k < 8; k++)
        json_array_append_new(steps, rb_json_make("id:s outcome:s milliseconds:i", ids[k], "done",
                                                  (int64_t)(i * 7 + k * 131) % 2000));
    return rb_json_make(
        "id:s kind:s from:s fromObject:s to:s toObject:s digest:0 outcome:s started:i finished:i "
        "steps:j error:0 acceptedLoss:0 acceptedDrift:b acceptedReverted:b whole:b host:s user:s",
        id, revert ? "revert" : "deploy", from, from_object, to, to_object,
        i % 11 == 0 ? "unhealthy" : "done", (int64_t)START + i * 3600,
        (int64_t)START + i * 3600 + 40, steps, false, false, true, "web1", "deploy");
}

static enum rb_code fill_transitions(rb_repo *repo, long number, rb_err *err)
{
    rb_ref ref;
    rb_oid tip;
    RB_AUTO(rb_strs_clear) rb_strs tags = {0};
    RB_TRY(rb_tag_names(&tags, repo, "v*", err));
    RB_TRY(rb_ref_read(&ref, repo, RB_LEDGER_REF, err));
    tip = ref.object;
    for (long i = 0; i < number; i++) {
        const bool revert = i % 5 == 4;
        char objects[2][RB_OID_HEX];
        const char *names[2];
        for (size_t k = 0; k < 2; k++) { /* from, to */
            rb_ref tag;
            const size_t at = (size_t)i + (k ? !revert : revert);
            names[k] = tags.items[at % tags.n];
            RB_AUTO(rb_free_str) char *name = rb_format("refs/tags/%s", names[k]);
            RB_TRY(rb_ref_read(&tag, repo, name, err));
            rb_oid_hex(&tag.object, objects[k]);
        }
        RB_AUTO(rb_json_freep)
        json_t *detail = transition_of(names[0], objects[0], names[1], objects[1], revert, i);
        RB_AUTO(rb_free_str)
        char *who =
            rb_format("Ops <ops@example.com> %" PRId64 " +0000", (int64_t)START + i * 3600 + 40);
        const rb_draft draft = {.kind = RB_ENTRY_TRANSITION,
                                .tag = names[!revert],
                                .object = objects[!revert],
                                .environment = i % 3 ? "prod" : "test",
                                .title = "done",
                                .detail = detail,
                                .committer = who};
        RB_TRY(rb_ledger_write(&tip, repo, &draft, &tip, 1, err));
    }
    return rb_ref_move(repo, RB_LEDGER_REF, &tip, &ref.object, err);
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
    if (argc < 3) {
        fprintf(stderr, "usage: fill_ledger DIR NUMBER [transitions]\n");
        return RB_ERROR;
    }
    enum rb_code code = rb_repo_open(&repo, argv[1], &err);
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 0); /* nothing here must outlive a power cut */
    if (code == RB_OK)
        code = (argc > 3 ? fill_transitions : fill)(repo, atol(argv[2]), &err);
    if (code != RB_OK)
        fprintf(stderr, "fill_ledger: %s\n", err.message);
    return (int)code;
}
