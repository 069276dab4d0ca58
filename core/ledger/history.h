/*
 * Checks the whole history: the chain of releases, against the ledger and its policy.
 *
 * A release that the ledger knows, by a release entry or a transition of an authorised signer,
 * must have its tag in this clone. If the tag is missing, the tag object is taken from the
 * release entry that has it attached, and is verified as any tag is. It is then "lost"
 * (release/chain.h): a problem of this release, not of the ones that follow it, until the tag
 * exists again. If the tag is another object than the ledger knows, it is "moved". A gap entry,
 * signed by somebody in role mark or policy, states that an object is known to be lost: it is no
 * longer restored or missed, and the "unknown" predecessor of its successors is only a warning. A
 * release whose signer was not allowed at the time, is revoked or backdated has the problems of
 * rb_policy_check_release().
 */
#ifndef RB_LEDGER_HISTORY_H
#define RB_LEDGER_HISTORY_H

#include "ledger/policy.h"
#include "release/chain.h"

#define RB_KEPT_TAG "tag" /* attachment of a release entry: the bytes of the tag object */

/* Returns the tag object with that name and id from the attachments of release entries; NULL if
 * none has it. */
void rb_ledger_stored_tag(rb_tag **out, const rb_policy *policy, const char *tag,
                          const char *object);
/* Returns the newest valid gap entry about the release, or NULL. */
const rb_entry *rb_ledger_gap(const rb_policy *policy, const char *tag, const char *object);
/*
 * Finds out why a release whose tag exists cannot be given up: a release follows it, a server
 * received it or an environment ran it, according to the tags in this clone and the ledger (an
 * unsigned entry is enough). *why (owned) is NULL if it can be given up: then a gap entry may be
 * written about it, and its tag may be deleted. chain: rb_history_load().
 */
void rb_history_in_use(char **why, const rb_policy *policy, const rb_chain *chain, const char *tag,
                       const char *object);
/* Sets the functions that rb_chain_load() needs to read the ledger; borrows the policy. */
void rb_history_more(rb_chain_more *more, const rb_policy *policy);

/* Lists the tags that the ledger knows as releases and that this clone does not have at all, newest
 * first. Reads no objects. */
enum rb_code rb_history_absent(rb_known_releases *out, const rb_policy *policy, rb_err *err);

/* Opens a release that rb_release_open() does not find, because this clone has no tag of that name
 * with a manifest: the newest of that name (and of that object, if it is not NULL) that a release
 * entry has attached and that verifies; else NULL. */
void rb_history_open_missing(rb_release **out, const rb_policy *policy, const char *tag,
                             const char *object);

/* Loads the chain of all tags, like rb_chain_load(), with ledger and policy. Of `how`, which may be
 * NULL, uses fresh, visit and pushed. */
enum rb_code rb_history_load(rb_chain **out, const rb_policy *policy, const rb_chain_more *how,
                             rb_err *err);

/* Returns the oldest release that verifies together with every newer one (in the chain's order);
 * NULL if the newest does not. */
const rb_chain_item *rb_history_trusted(const rb_chain *chain);
/* For each release, follows the predecessors until one does not verify or is missing. Stores the
 * index of the last one that verifies; SIZE_MAX if the release itself does not. since has room for
 * all items. */
void rb_history_since(size_t *since, const rb_chain *chain);

/* Lists the object ids that verified releases or the ledger know as TAG, except the id of the tag
 * in this clone, each once. replaced: this clone has a tag of that name, so links to other objects
 * have the problem "moved" and are left out. */
void rb_history_missing(rb_strs *objects, const rb_chain *chain, const char *tag, bool replaced);

typedef struct rb_restored {
    char *tag;
    char object[RB_OID_HEX];
    char here[RB_OID_HEX]; /* object id of the tag in this clone; "" if it does not exist */
} rb_restored;

typedef struct rb_restoring {
    rb_restored *items;
    size_t n;
} rb_restoring;

/* Restores tag objects that releases or the ledger name, that no tag in this clone leads to and
 * that a release entry has attached: writes them into the object database. Changes no ref. */
enum rb_code rb_history_restore(rb_restoring *out, const rb_chain *chain, const rb_policy *policy,
                                rb_err *err);
void rb_restoring_clear(rb_restoring *restoring);

#endif
