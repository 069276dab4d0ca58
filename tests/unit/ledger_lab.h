/*
 * A repository with keys and allowed signers, and entries written into its ledger, on top of the
 * lab of module git.
 */
#ifndef LEDGER_LAB_H
#define LEDGER_LAB_H

#include "git_lab.h"
#include "ledger/ledger.h"

#define T0 1700000000

/* alice and bob may sign, eve may not. */
static inline void make_repo(const char *dir)
{
    sh_do("git init -q %s; for k in alice bob eve; do [ -f $k ] || ssh-keygen -q -t ed25519 -N '' "
          "-C '' -f $k; done;"
          "for k in alice bob; do echo \"$k@example.com $(cat $k.pub)\"; done >signers;"
          "git config --global gpg.format ssh;"
          "git config --global gpg.ssh.allowedSignersFile \"$PWD/signers\";"
          "git config --global user.signingKey \"$PWD/alice\"; git -C %s config rbtool.app shop",
          dir, dir);
}

static inline rb_ledger *load(rb_repo *repo, unsigned how)
{
    rb_err err = {0};
    rb_ledger *ledger = NULL;
    RB_AUTO(rb_signers_freep) rb_signers *signers = NULL;
    assert_ok(rb_signers_load(&signers, repo, &err));
    assert_ok(rb_ledger_load(&ledger, repo, signers, NULL, how, &err));
    return ledger;
}

static inline json_t *verdict_of(const char *verdict, const char *why)
{
    return json_pack("{s:s, s:s, s:n}", "verdict", verdict, "why", why, "transition");
}

/* A verdict about v1 at T0 + seconds; key NULL: as configured. */
static inline rb_oid mark_at(rb_repo *repo, const char *key, const char *verdict, int seconds)
{
    rb_err err = {0};
    rb_oid id;
    RB_AUTO(rb_json_freep) json_t *detail = verdict_of(verdict, "seen");
    RB_AUTO(rb_free_str)
    char *who = rb_format("%s <%s@example.com> %d +0000", key ? key : "alice", key ? key : "alice",
                          T0 + seconds);
    const rb_draft draft = {.kind = RB_ENTRY_VERDICT,
                            .begins = true,
                            .tag = "v1",
                            .object = "0123456789012345678901234567890123456789",
                            .title = verdict,
                            .detail = detail,
                            .key = key,
                            .committer = who};
    assert_ok(rb_ledger_append(&id, repo, &draft, &err));
    return id;
}

#endif
