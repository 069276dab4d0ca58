/*
 * Repositories with signed releases of a shop, one for each test, on top of the lab of module git.
 * Two repositories share the keys and the allowed signers.
 */
#ifndef RELEASE_LAB_H
#define RELEASE_LAB_H

#include "git_lab.h"
#include "release/make.h"

typedef struct shop {
    const char *dir;
    rb_repo *repo;
    rb_signers *signers;
} shop;

static inline int release_lab_open(void **state)
{
    if (lab_open(state) != 0)
        return -1;
    sh_do("ssh-keygen -q -t ed25519 -N '' -C '' -f alice;"
          "echo \"alice@example.com $(cat alice.pub)\" >signers;"
          "git config --global gpg.format ssh;"
          "git config --global gpg.ssh.allowedSignersFile \"$PWD/signers\";"
          "git config --global user.signingKey \"$PWD/alice\"");
    return 0;
}

/* Opens the repository at dir. */
static inline void shop_enter(shop *s, const char *dir)
{
    rb_err err = {0};
    *s = (shop){.dir = dir, .repo = open_repo(dir)};
    assert_ok(rb_signers_load(&s->signers, s->repo, &err));
}

/* Creates a repository at dir with one commit; databases: the value of that key in rbtool.json. */
static inline void shop_begin(shop *s, const char *dir, const char *databases)
{
    sh_do("git init -q %s; cd %s; mkdir src; echo %s >src/shop; cat >rbtool.json <<'JSON'\n"
          "{\"app\":{\"name\":\"shop\",\"version\":{\"file\":\"VERSION\"}},"
          "\"artifacts\":[{\"name\":\"app\",\"paths\":[\"src\"],\"format\":\"dir\"}],"
          "\"databases\":%s}\nJSON\n git add -A; git commit -qm begin",
          dir, dir, dir, databases);
    shop_enter(s, dir);
}

static inline void shop_end(shop *s)
{
    rb_signers_free(s->signers);
    rb_repo_close(s->repo);
    *s = (shop){0};
}

/* Releases HEAD as it is; *made, when asked for, is the caller's. */
static inline enum rb_code shop_try(const shop *s, const rb_make *make, rb_made *made, rb_err *err)
{
    rb_oid tag;
    rb_made own = {0};
    enum rb_code code = rb_make_prepare(&own, s->repo, s->signers, make, err);
    if (code == RB_OK)
        code = rb_make_finish(&tag, s->repo, s->signers, make, &own, err);
    if (made)
        *made = own;
    else
        rb_made_clear(&own);
    return code;
}

/* Commits a version on the current branch. */
static inline void shop_commit(const shop *s, const char *version)
{
    sh_do("cd %s; echo %s >VERSION; git add -A; git commit -q --allow-empty -m %s", s->dir, version,
          version);
}

/* Commits version and releases it as vVERSION; previous NULL: found by ancestry. */
static inline void shop_release(const shop *s, const char *version, const char *previous)
{
    rb_err err = {0};
    RB_AUTO(rb_free_str) char *tag = rb_format("v%s", version);
    const rb_make make = {.tag = tag, .previous = previous};
    shop_commit(s, version);
    assert_ok(shop_try(s, &make, NULL, &err));
}

#endif
