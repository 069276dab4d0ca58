/*
 * Trust over the whole history: the chain of releases as the ledger and its policy see it.
 *
 * A release that the ledger knows, by a release entry or a transition of someone who had a say,
 * must have its tag here. One that no tag leads to is taken from the release entry that kept its
 * object, verified as any tag is, and is "lost" (release/chain.h): a problem, of it and not of what
 * follows it, until the tag is here. Where the tag is another object than the ledger knows, it is
 * "moved". A gap entry, signed by someone in role mark or policy, says that an object is lost and
 * known to be: it is not taken or missed any more, and that its followers' predecessor is "unknown"
 * is a warning. A release whose signer was not allowed at the time, is revoked or backdated has the
 * problems of rb_policy_check_release().
 */
#ifndef RB_LEDGER_HISTORY_H
#define RB_LEDGER_HISTORY_H

#include "ledger/policy.h"
#include "release/chain.h"

#define RB_KEPT_TAG "tag" /* the attachment of a release entry: the tag object's bytes */

/* The tag object of that name and id which an entry kept; NULL: none did. */
void rb_ledger_kept(rb_tag **out, const rb_policy *policy, const char *tag, const char *object);
/* The newest gap entry of it that counts, or NULL. */
const rb_entry *rb_ledger_gap(const rb_policy *policy, const char *tag, const char *object);
/*
 * Why a release whose tag is here cannot be given up: a release follows it, a server received it or
 * an environment had it, as far as the tags here and the ledger know (an unsigned entry is enough).
 * Sets *why (owned) to NULL where it can: then a gap entry may be written about it, after which
 * its tag may be deleted. chain: rb_history_load().
 */
void rb_history_in_use(char **why, const rb_policy *policy, const rb_chain *chain, const char *tag,
                       const char *object);
/* What rb_chain_load_with() asks of the ledger; borrows both. */
rb_chain_more rb_history_more(const rb_policy *policy, const rb_pushes *pushed);

/* For telling what to fetch: each tag that the ledger knows a release by and that is not here at
 * all, newest first. No object is read. */
enum rb_code rb_history_absent(rb_knowns *out, const rb_policy *policy, rb_err *err) RB_MUST_USE;

/* A release that rb_release_open() does not find, since no tag of that name with a manifest is
 * here: the newest of that name (and of that object, when it is not NULL) that the ledger knows,
 * kept, and that verifies; else NULL. */
void rb_history_lost(rb_release **out, const rb_policy *policy, const char *tag,
                     const char *object);

/* As rb_chain_load() of all tags. */
enum rb_code rb_history_load(rb_chain **out, const rb_policy *policy, const rb_pushes *pushed,
                             rb_err *err) RB_MUST_USE;

/* The same as rb_chain_list(), for showing. */
enum rb_code rb_history_list(rb_chain **out, const rb_policy *policy, const char *version,
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

/* Object ids that verified releases or the ledger know as TAG and that are not that tag here, each
 * once. replaced: a tag of that name is here, so what releases follow was moved, and is left out.
 */
void rb_history_missing(rb_strs *objects, const rb_chain *chain, const char *tag, bool replaced);

typedef struct rb_restored {
    char *tag;
    char object[RB_OID_HEX];
    char here[RB_OID_HEX]; /* what the tag is now; "" when there is none */
} rb_restored;

typedef struct rb_restoring {
    rb_restored *items;
    size_t n;
} rb_restoring;

/* Writes every tag object that releases or the ledger name, that the tags here do not lead to, and
 * that the ledger kept, into the object database. No ref is touched. */
enum rb_code rb_history_restore(rb_restoring *out, const rb_chain *chain, const rb_policy *policy,
                                rb_err *err) RB_MUST_USE;
void rb_restoring_clear(rb_restoring *restoring);

#endif
