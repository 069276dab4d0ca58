/*
 * Types and functions that the files which load a chain share.
 */
#ifndef RB_RELEASE_CHAIN_INTERNAL_H
#define RB_RELEASE_CHAIN_INTERNAL_H

#include "base/json.h"
#include "release/chain.h"

typedef struct rb_chain_loading {
    rb_repo *repo;
    const rb_signers *signers;
    rb_tag_refs refs;
    const size_t *unread; /* positions of the tags that read_one() reads */
    const rb_chain_more *more;
    rb_record_cache *cache; /* cache of verified releases; NULL: not used */
    rb_chain *chain;
    rb_keys index;           /* the chain's items by tag */
    size_t *parents;         /* for each item, the position of its predecessor; SIZE_MAX: none */
    rb_tags_here here;       /* all tags of this clone */
    rb_known_releases known; /* result of list_known() */
    char *fetch;             /* result of rb_chain_fetch(); NULL: not computed */
} rb_chain_loading;

/* Returns the command that fetches tags. Computes it once. */
const char *rb_chain_fetch(rb_chain_loading *loading);

/* Adds the problem of an item that no tag here leads to. kept: the tag object that was found, or
 * NULL; verified: it is this release. */
void rb_chain_describe_missing(rb_chain_loading *loading, rb_chain_item *item, const rb_tag *kept,
                               bool verified);

/* Sorts the items, and adds problems for links that do not hold. */
enum rb_code rb_chain_link(rb_chain_loading *loading, rb_err *err);

#endif
