/*
 * What the files that load a chain share.
 */
#ifndef RB_RELEASE_CHAIN_INTERNAL_H
#define RB_RELEASE_CHAIN_INTERNAL_H

#include "base/json.h"
#include "release/chain.h"

typedef struct rb_chain_loading {
    rb_repo *repo;
    const rb_signers *signers;
    rb_tag_refs refs;
    const rb_chain_more *more;
    rb_record_cache *cache; /* NULL: none */
    rb_chain *chain;
    rb_keys index;           /* of the chain's items, by tag */
    rb_tags_here here;       /* every tag */
    rb_known_releases known; /* what should be here and is not, by the list_known */
    char *fetch;             /* of rb_chain_fetch(); NULL: nobody asked yet */
} rb_chain_loading;

/* The command that fetches tags, asked for once. */
const char *rb_chain_fetch(rb_chain_loading *loading);

/* The problem of an item that no tag here leads to. kept: what somebody kept under its id, or NULL;
 * verified: that is the release. */
void rb_chain_describe_missing(rb_chain_loading *loading, rb_chain_item *item, const rb_tag *kept,
                               bool verified);

/* Sorts the items; problems are added where links do not hold. */
enum rb_code rb_chain_link(rb_chain_loading *loading, rb_err *err);

#endif
