/*
 * Types and functions that the policy files share. Entries are given by their index in the ledger.
 */
#ifndef RB_LEDGER_POLICY_INTERNAL_H
#define RB_LEDGER_POLICY_INTERNAL_H

#include "base/shape.h"
#include "ledger/policy.h"

#define RB_POLICIES 4096 /* number of policies in one ledger; further ones are refused */

typedef struct rb_policy_version { /* a valid policy entry */
    size_t entry;
    const json_t *json;
    int64_t version;
    bool by_root;
    bool void_;    /* overruled: only binding for entries that descend from it */
    rb_buf before; /* set of the versions that are its ancestors */
    rb_buf older;  /* set of the entries that are its ancestors, and itself; filled on first use */
} rb_policy_version;

typedef struct rb_in_force { /* indexes of versions that are in force together */
    size_t *items;
    size_t n;
} rb_in_force;

typedef struct rb_about {
    const char *tag;
    size_t entry;
} rb_about;

struct rb_policy {
    const rb_ledger *ledger;
    rb_strs roots;
    rb_policy_version *versions;
    size_t version_count;
    rb_in_force *states; /* the first state is the empty one */
    size_t state_count;
    size_t
        *state;  /* for each entry, index in states of the policies in force where it was written */
    size_t now;  /* index in states of the policies in force at the tip */
    bool forked; /* an entry has several parents */
    rb_strs ended; /* fingerprints of keys whose validity has ended by a line of allowed signers */
    int64_t clock; /* time of the load, in seconds since 1970 */
    rb_about *about;
    size_t about_count;
};

const rb_shape *rb_policy_shape(void); /* schemas/policy.schema.json */

/* Sets of small numbers, as bit fields. */
bool rb_set_has(const rb_buf *set, size_t i);
void rb_set_add(rb_buf *set, size_t i);

/* True if the policy allows the key, which signs as these principals, to act in the role. Does not
 * consider revocation. */
bool rb_policy_json_allows(const json_t *policy, enum rb_role role, const char *principals,
                           const char *key);
bool rb_policy_json_revokes(const json_t *policy, const char *fingerprint);
/* True if a member of the list matches the key or one of the principals, and no negated one does. A
 * member that is a fingerprint names a key, any other is a pattern of principals. */
bool rb_members_match(const json_t *list, const char *principals, const char *key);

bool rb_policy_is_root(const rb_policy *policy, const char *principals, const char *key);

/*
 * Calls `test` for each policy that is binding for an entry: in force when it was written, or
 * concurrent with it. False if test returns false for one.
 */
typedef bool rb_policy_test(const void *context, const json_t *policy);
bool rb_policy_binding(const rb_policy *policy, size_t entry, rb_policy_test *test,
                       const void *context);
/* Same as rb_policy_binding(), for the versions in force together. */
bool rb_in_force_all(const rb_policy *policy, const rb_in_force *versions, rb_policy_test *test,
                     const void *context);
/* True if one of the versions revokes the key. */
bool rb_in_force_revokes(const rb_policy *policy, const rb_in_force *versions,
                         const char *fingerprint);

/*
 * rb_policy_ended() returns the time at which the key's validity ended for the principals; 0 if it
 * has not. rb_policy_late() is true if an entry has a time before that end but may have been
 * written after it: other keys wrote entries after the end, and some of them are not on top of this
 * one.
 */
int64_t rb_policy_ended(const rb_policy *policy, const char *principals, const char *fingerprint);
bool rb_policy_late(const rb_policy *policy, const rb_entry *entry);
/* True if another key wrote an entry on top of this one until time `end`, which proves its age. */
bool rb_policy_built_on(const rb_policy *policy, const rb_entry *entry, int64_t end);

/* Returns the entries about a tag, oldest first. */
const rb_about *rb_policy_about(size_t *count, const rb_policy *policy, const char *tag);

/* Returns the largest number of approvals that one of the versions requires. */
int rb_in_force_approvals(const rb_policy *policy, const rb_in_force *versions,
                          const char *environment, const char *kind);
/* Returns the smallest number that one of the versions has for environments.NAME.GROUP.KEY (group
 * NULL: environments.NAME.KEY); -1 if none has it. */
int64_t rb_in_force_limit(const rb_policy *policy, const rb_in_force *versions,
                          const char *environment, const char *group, const char *key);
/* Returns the policies by which a transition is judged: those in force when its entry was written,
 * except those that its plan cannot have been checked against, because they were set after it
 * started and it does not name them. entry NULL: those in force now. The caller frees *items; the
 * result may borrow it. */
rb_in_force rb_policy_judged_under(size_t **items, const rb_policy *policy, const rb_entry *entry);
/* Returns the override (--break-glass, valid for one run) that excuses a transition from the rule
 * for this release; NULL if there is none. */
const rb_entry *rb_policy_excuse(const rb_policy *policy, const rb_entry *entry, const char *rule,
                                 const char *tag, const char *object);
/* Same as rb_approvals_count(), but counts approvals given before an entry (NULL: all) and does not
 * set "needed". The release's principal and fingerprint are NULL if its signer is unknown. */
void rb_approvals_before(rb_approvals *out, const rb_policy *policy,
                         const rb_signed_release *release, const char *environment,
                         const rb_entry *entry);

/* Returns the rules of the environment in one policy, or those of "*"; NULL if it has neither. */
const json_t *rb_policy_json_environment(const json_t *policy, const char *environment);

#endif
