/*
 * Policy: who may do what (design section 7). Versioned entries of kind "policy", each signed
 * under the one before by someone in its role "policy"; the first by a principal that git config
 * rbtool.root names (patterns as in allowed signers, several values), or that a root's own policy
 * goes back to by its "previous": a root is replaced by letting the new one into role policy, who
 * then sets a policy. It is read from the ledger alone, never from the release being judged, and
 * never goes back with a revert.
 *
 * Concurrent successors (two clones, or someone who was put out and goes back to before that) are
 * in force together, and the strictest holds: a role takes who every one of them lets in, the
 * largest number of approvals counts, a key that one revokes is revoked. So a fork gains nothing.
 * A successor above them all settles it, by someone in role policy in every one of them, or by the
 * root.
 *
 *     { "roles": { "release": ["*@example.com"], "mark": [], "approve": [], "accept-loss": [],
 *                  "policy": ["root@example.com"], "witness": ["git@server"] },
 *       "environments": { "prod": { "approvals": { "deploy": 2, "revert": 0 }, "signed": true,
 *                                   "maxAge": { "drill": 90, "backup": 30, "review": 180 },
 *                                   "maxRowsAtRisk": 1000 } },
 *       "revoked": [ { "key": "SHA256:...", "why": "laptop stolen" } ] }
 *
 * A role that is left out is open to every allowed signer. A member is a pattern of principals, or
 * the fingerprint of a key ("SHA256:...", or 40 hexadecimal digits); "!" refuses. The same holds
 * for rbtool.root. Which key belongs to a principal is what the allowed signers file of each host
 * says: only a member that is a key binds a host whose operator names a file of their own.
 * Environment "*" stands for those that are not named. Without a root there is no policy: every
 * allowed signer may do everything, and rbtool says so. With a root, and no policy under it yet,
 * only the root has a say: the ledger may not have been fetched.
 *
 * A key under "revoked" signs nothing any more; releases that the ledger has from before that
 * policy (a release entry by the witness, or by another key in role release or witness, that is an
 * ancestor of the policy entry) stay valid.
 */
#ifndef RB_LEDGER_POLICY_H
#define RB_LEDGER_POLICY_H

#include "ledger/ledger.h"
#include "release/release.h"

enum rb_role {
    RB_ROLE_RELEASE,
    RB_ROLE_MARK,
    RB_ROLE_APPROVE,
    RB_ROLE_ACCEPT_LOSS,
    RB_ROLE_POLICY,
    RB_ROLE_WITNESS,
    RB_ROLES
};
/* returns "release", "mark", "approve", "accept-loss", ... */
const char *rb_role_name(enum rb_role role);

typedef struct rb_policy rb_policy;

/* Loads the policy in force at the ledger's tip. *problems lists entries that claim to be a policy,
 * but that are not validly signed under the policy before. Borrows the ledger. */
enum rb_code rb_policy_load(rb_policy **out, rb_problems *problems, const rb_ledger *ledger,
                            rb_err *err);
/* Same as rb_policy_load(), with the given roots instead of the configured ones. Copies them. */
rb_policy *rb_policy_under(rb_problems *problems, const rb_ledger *ledger, const rb_strs *roots);
void rb_policy_free(rb_policy *policy);
RB_DEFINE_AUTO(rb_policy, rb_policy_free)

bool rb_policy_rooted(const rb_policy *policy); /* true if a root is configured */
const rb_strs *rb_policy_roots(const rb_policy *policy);
const rb_entry *rb_policy_entry(const rb_policy *policy); /* the policy in force; NULL: none */
/* JSON of the policy in force; NULL: none */
const json_t *rb_policy_json(const rb_policy *policy);
/* Returns the number of policies in force together. If several are, one that continues them should
 * be set. */
size_t rb_policy_count(const rb_policy *policy);
const rb_entry *rb_policy_at(const rb_policy *policy, size_t i);
/* True if the policy in force is this entry or continues it. entry may be NULL. */
bool rb_policy_follows(const rb_policy *policy, const rb_entry *entry);
/* True if the principal or key set a policy that is in force, or one that such a policy
 * continues. */
bool rb_policy_was_set_by(const rb_policy *policy, const char *member);
/* True if the member of a role, or a root, is the fingerprint of a key. */
bool rb_policy_is_key(const char *member);
/* list of the role's members, for messages */
char *rb_policy_members(const rb_policy *policy, enum rb_role role);
/* Returns the reason why rb_policy_allows() refused the key, and what to do. */
char *rb_policy_refusal(const rb_policy *policy, enum rb_role role, const char *fingerprint);

/* True if one of the principals (joined by ",") may act in the role. */
bool rb_policy_allows(const rb_policy *policy, enum rb_role role, const char *principal,
                      const char *fingerprint);
/* True if the entry's signer may act in the role under the policy in force at that entry. False
 * unless its trust is good.
 * False also if the key is revoked now, unless the entry precedes the revocation; and if the key's
 * validity has ended and others wrote entries after that end that are not on top of this one, so
 * that it may be backdated. */
bool rb_policy_counts(const rb_policy *policy, const rb_entry *entry, enum rb_role role);

/* Returns how many approvals a transition of this kind ("deploy", "revert") needs in the
 * environment. */
int rb_policy_approvals(const rb_policy *policy, const char *environment, const char *kind);
/* Returns the smallest number that a policy in force has for environments.NAME.GROUP.KEY (group
 * NULL: environments.NAME.KEY); -1 if none has it. */
int64_t rb_policy_limit(const rb_policy *policy, const char *environment, const char *group,
                        const char *key);
bool rb_policy_must_sign(const rb_policy *policy, const char *environment);
/* Same as rb_policy_must_sign(), for an entry and the policy in force when it was written. */
bool rb_policy_wanted_signed(const rb_policy *policy, const rb_entry *entry);
/* True if a policy that was in force when the entry was written revokes its key. False if that
 * policy is concurrent with the entry. */
bool rb_policy_revoked_key(const rb_policy *policy, const rb_entry *entry);

/*
 * Checks the release's signer against the policy in force when the ledger first saw the release.
 * RB_FOUND with problems "role" (not in role release), "revoked" (and not known from before) or
 * "backdated" (the tagger's time lies before the end of the key's validity, and no other key
 * recorded the release then). The ledger saw a release when an authorised signer wrote about this
 * tag object: an entry of kind release by role witness or release, an approval, a verdict or a
 * transition. If the release's key was revoked or has ended, only entries by other keys count.
 */
enum rb_code rb_policy_check_release(rb_problems *problems, const rb_policy *policy,
                                     const rb_release *release, rb_err *err);
/* Same as rb_policy_check_release(), for a release that was verified before. */
typedef struct rb_signed_release { /* all members are borrowed */
    const char *tag;
    const char *object;
    const char *principal;
    const char *fingerprint;
} rb_signed_release;
enum rb_code rb_policy_check_signed(rb_problems *problems, const rb_policy *policy,
                                    const rb_signed_release *release, rb_err *err);

typedef struct rb_approvals {
    int needed;
    /* number of different people who approved this tag object, without the release's signer */
    int given;
    rb_strs people; /* principals of approvals that count */
    size_t ignored; /* number of approvals of the release that do not count */
    const rb_entry
        *override; /* newest override of rule "approvals" for this release and environment */
} rb_approvals;
/* Counts the approvals of a release. environment NULL: none; then only approvals for any
 * environment count and none are needed. Two people are distinct if they share neither a principal
 * nor a key, also through a third. */
void rb_approvals_count(rb_approvals *out, const rb_policy *policy, const rb_release *release,
                        const char *environment, const char *kind);
void rb_approvals_clear(rb_approvals *approvals);
/* Lists who could give another approval: allowed signers in role approve, except the release's
 * signer and those who approved. For patterns, only the principals that are plain names. */
void rb_approvals_able(rb_strs *out, const rb_policy *policy, const rb_release *release,
                       const rb_approvals *approvals);

/* The caller: the signer whom a signature by git's signing key would have now. will_sign: the entry
 * or tag that is written next proves that the caller has the key, so that a security key is touched
 * once. Otherwise it is proven now, by signing a text that has no other use. */
typedef struct rb_caller {
    char *principal; /* NULL: no signing key, or one that is not an allowed signer's */
    char *fingerprint;
    char *why; /* reason, as one line, if principal is NULL */
} rb_caller;
enum rb_code rb_caller_find(rb_caller *out, rb_repo *repo, const rb_signers *signers,
                            const char *key, bool will_sign, rb_err *err);
void rb_caller_clear(rb_caller *caller);

/* Parses the JSON of a policy strictly. */
enum rb_code rb_policy_read(json_t **out, const char *text, size_t len, const char *what,
                            rb_err *err);

/*
 * Returns the detail of an entry by the caller that puts json in force. RB_FOUND if the caller
 * may not do that; RB_DECIDE if policies are concurrent and `over` (an entry's id, or its
 * beginning) names none of them to continue; RB_ERROR if the new policy would lock everybody out
 * of setting policies.
 */
enum rb_code rb_policy_draft(json_t **out, const rb_policy *policy, const json_t *json,
                             const rb_caller *caller, const char *over, rb_err *err);

#endif
