/*
 * The chain: every release names its predecessor by tag, object id and hash of its signed bytes,
 * so a moved or rewritten tag shows. Maintenance lines are not forks; a second root, or two tag
 * objects of one name, is. A named predecessor that is absent is "unknown", one that is present
 * with another id is "moved" (a problem of both).
 */
#ifndef RB_RELEASE_CHAIN_H
#define RB_RELEASE_CHAIN_H

#include "git/pushes.h"
#include "release/release.h"

typedef struct rb_chain_item {
    char *tag;
    char object[RB_OID_HEX];    /* of the tag object */
    char sha256[RB_SHA256_HEX]; /* of the signed bytes; "" when it does not verify */
    rb_release *release;        /* NULL when it does not verify */
    rb_problems problems;       /* its own, and its link's: moved, unknown, fork */
    rb_oid commit;              /* what the tag is on, verified or not */
    bool has_commit;
    bool named; /* by a verified release, as its previous or one of its heads */
} rb_chain_item;

typedef struct rb_chain {
    rb_chain_item *items; /* newest first: descendants before ancestors, then by version */
    size_t n;
} rb_chain;

/* All tags that match glob (NULL: any name) and carry a manifest. Bad ones are items with
 * problems, not errors. */
enum rb_code rb_chain_load(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                           const char *glob, rb_err *err) RB_MUST_USE;
/* As it would be with the tags that a push creates. */
enum rb_code rb_chain_load_with(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                                const char *glob, const rb_pushes *pushed, rb_err *err) RB_MUST_USE;
void rb_chain_free(rb_chain *chain);
RB_DEFINE_AUTO(rb_chain, rb_chain_free)

const rb_chain_item *rb_chain_find(const rb_chain *chain, const char *tag);

/* The release that a new one at commit follows: nearest by ancestry; ties: the head no one names
 * yet, then version order. NULL where no verified release is an ancestor. Borrowed. */
enum rb_code rb_chain_previous(const rb_release **out, const rb_chain *chain, rb_repo *repo,
                               const rb_oid *commit, rb_err *err) RB_MUST_USE;
/* The same, and a release that does not verify counts too. */
enum rb_code rb_chain_nearest(const rb_chain_item **out, const rb_chain *chain, rb_repo *repo,
                              const rb_oid *commit, rb_err *err) RB_MUST_USE;

#endif
