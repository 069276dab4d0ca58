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
    const char *glob;
    rb_tag_refs refs;
    const rb_chain_more *more; /* or NULL */
    bool listing;
    rb_listcache *cache; /* of a listing; NULL: none */
    rb_chain *chain;
    json_t *index;   /* tag name to index of its item */
    json_t *objects; /* tag name to the object of every tag */
    rb_knowns known; /* what should be here and is not, by the census */
} rb_chain_loading;

/* Sorts the items; problems are added where links do not hold. */
enum rb_code rb_chain_link(rb_chain_loading *loading, rb_err *err) RB_MUST_USE;

#endif
