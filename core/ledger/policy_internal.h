/*
 * What the files about policy share. Indexes of entries are those of the ledger's items.
 */
#ifndef RB_LEDGER_POLICY_INTERNAL_H
#define RB_LEDGER_POLICY_INTERNAL_H

#include "base/shape.h"
#include "ledger/policy.h"

#define RB_POLICIES 4096 /* in one ledger; later ones are refused */

typedef struct rb_edict { /* a policy that was rightly made */
    size_t entry;
    const json_t *json;
    int64_t version;
    bool by_root;
    bool void_;    /* overruled: it binds nobody beside its own line */
    rb_buf before; /* set of edicts that are ancestors */
    rb_buf older;  /* set of entries that are, itself included; made on first use */
} rb_edict;

typedef struct rb_edicts { /* concurrent ones in force together, by index */
    size_t *items;
    size_t n;
} rb_edicts;

typedef struct rb_about {
    const char *tag;
    size_t entry;
} rb_about;

struct rb_policy {
    const rb_ledger *ledger;
    rb_strs roots;
    rb_edict *edicts;
    size_t edict_count;
    rb_edicts *states; /* the first is the empty one */
    size_t state_count;
    size_t *state; /* of an entry: in force when it was written, index into states */
    size_t now;    /* at the tip */
    bool forked;   /* some entry has more than one parent */
    rb_strs ended; /* fingerprints of keys whose validity has ended on some line */
    int64_t clock; /* when it was loaded */
    rb_about *about;
    size_t about_count;
};

extern const rb_shape rb_policy_shape;

/* Sets of small numbers, as bits. */
bool rb_set_has(const rb_buf *set, size_t i);
void rb_set_add(rb_buf *set, size_t i);

/* Whether the policy lets the key, which signs as these principals, act in the role. Does not
 * consider revocation. */
bool rb_edict_lets(const json_t *policy, enum rb_role role, const char *principals,
                   const char *key);
bool rb_edict_revokes(const json_t *policy, const char *fingerprint);
/* Whether a member of the list matches the key or one of the principals, and no negated one does.
 * A member that is a fingerprint names a key, any other is a pattern of principals. */
bool rb_members_match(const json_t *list, const char *principals, const char *key);

bool rb_policy_is_root(const rb_policy *policy, const char *principals, const char *key);

/*
 * Asks for each policy that binds what an entry says: in force where it was written, or concurrent
 * with it. False when test is false of one.
 */
typedef bool rb_edict_test(const void *context, const json_t *policy);
bool rb_policy_binding(const rb_policy *policy, size_t entry, rb_edict_test *test,
                       const void *context);

/*
 * When the validity of the key ended under the principals; 0: it has not. And whether an entry
 * that claims to be from before that was written after it: what others wrote later does not all
 * come after it.
 */
int64_t rb_policy_ended(const rb_policy *policy, const char *principals, const char *fingerprint);
bool rb_policy_late(const rb_policy *policy, const rb_entry *entry);
/* Whether others wrote on top of the entry before that time: then it is no younger. */
bool rb_policy_built_on(const rb_policy *policy, const rb_entry *entry, int64_t end);

/* Entries about a tag, oldest first. */
const rb_about *rb_policy_about(size_t *count, const rb_policy *policy, const char *tag);

/* How many approvals these ask for together: the largest number. */
int rb_edicts_approvals(const rb_policy *policy, const rb_edicts *edicts, const char *environment,
                        const char *kind);
/* As rb_approvals_count(), of those that were given before an entry (NULL: all), but for "needed".
 * The release's principal and fingerprint are NULL where its signer is not known. */
void rb_approvals_before(rb_approvals *out, const rb_policy *policy,
                         const rb_signed_release *release, const char *environment,
                         const rb_entry *entry);

/* The environment's rules in one policy, or those of "*"; NULL: none. */
const json_t *rb_edict_environment(const json_t *policy, const char *environment);

#endif
