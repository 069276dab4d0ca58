/*
 * Trust over the whole history: the chain of releases as the ledger and its policy see it.
 *
 * A predecessor that has no tag here any more is taken from the release entry that kept its object
 * ("lost", a warning: it is verified as any tag is). One that nobody kept stays "unknown", until a
 * gap entry, signed by someone in role mark or policy, says that it is lost and known to be; then
 * that is a warning. A release whose signer was not allowed at the time, is revoked or backdated
 * has the problems of rb_policy_check_release().
 */
#ifndef RB_LEDGER_HISTORY_H
#define RB_LEDGER_HISTORY_H

#include "ledger/policy.h"
#include "release/chain.h"

#define RB_KEPT_TAG "tag" /* the attachment of a release entry: the tag object's bytes */

typedef struct rb_keeping { /* borrowed */
    rb_repo *repo;
    const rb_ledger *ledger;
} rb_keeping;

/* An rb_chain_keeper; its context is an rb_keeping. */
enum rb_code rb_ledger_keeper(const void *keeping, rb_tag **out, const char *tag,
                              const char *object, rb_err *err) RB_MUST_USE;

/* As rb_chain_load() of all tags. */
enum rb_code rb_history_load(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                             const rb_ledger *ledger, const rb_policy *policy,
                             rb_err *err) RB_MUST_USE;

/* The same as it would be with the tags that a push creates. */
enum rb_code rb_history_load_with(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                                  const rb_ledger *ledger, const rb_policy *policy,
                                  const rb_pushes *pushed, rb_err *err) RB_MUST_USE;

/* The same as rb_chain_list(), for showing. */
enum rb_code rb_history_list(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                             const rb_ledger *ledger, const rb_policy *policy, const char *version,
                             bool use_cache, rb_err *err) RB_MUST_USE;

/*
 * From which release on the history can be trusted: the oldest for which it and every newer one (in
 * the chain's order) is ok; NULL when the newest is not. ok has an element for every item: what was
 * found besides the chain's own problems.
 */
const rb_chain_item *rb_history_trusted(const rb_chain *chain, const bool *ok);
/* The same along each release's own predecessors, up to one that is not ok or not here: the index
 * of the oldest, SIZE_MAX for one that is not ok itself. since has room for all items. */
void rb_history_since(size_t *since, const rb_chain *chain, const bool *ok);

/* Object ids that verified releases name as TAG and that are not that tag here, each once. */
void rb_history_missing(rb_strs *objects, const rb_chain *chain, const char *tag);

typedef struct rb_restored {
    char *tag;
    char object[RB_OID_HEX];
    char here[RB_OID_HEX]; /* what the tag is now; "" when there is none */
} rb_restored;

typedef struct rb_restoring {
    rb_restored *items;
    size_t n;
} rb_restoring;

/* Writes every tag object that releases name, that the tags here do not lead to, and that the
 * ledger kept, into the object database. No ref is touched. */
enum rb_code rb_history_restore(rb_restoring *out, const rb_chain *chain, rb_repo *repo,
                                const rb_signers *signers, const rb_ledger *ledger,
                                rb_err *err) RB_MUST_USE;
void rb_restoring_clear(rb_restoring *restoring);

#endif
