/*
 * Binds an environment to its ledger, so that a policy cannot be skipped (design section 7). The
 * ledger's first entry, the root (git config rbtool.root) and the newest policy entry are pinned in
 * the environment's state and in every database's journal row. A clone without that ledger, with an
 * older one, or with another root cannot move the environment.
 *
 * Pins: "ledger" and "policy" are ids of entries; "root" is JSON, {"key": fingerprint of the key
 * that signed the policy, "principals": [values of rbtool.root]}. A root may be replaced or added
 * if the policy under the new one is in force under the pinned one, too, and each new root has set
 * a policy under it. A root that is a key can be replaced only by keys.
 *
 * A transition pins what the ledger holds when it begins. A ledger that begins with the
 * transition's own entry, and a policy that is set later, are pinned by the next transition. Until
 * then, a clone without them may move the environment.
 *
 * The session's ledger must be open. state is NULL if the environment has none yet. of_databases:
 * the pins of its databases (rb_binding), or NULL. Those of the state come first: a database's are
 * the same or older.
 */
#ifndef RB_TRANSITION_POLICY_PINS_H
#define RB_TRANSITION_POLICY_PINS_H

#include "config/environment.h"
#include "environment/state.h"
#include "session/session.h"

/* Checks that this clone has the ledger, policy and root that the environment is bound to. Without
 * a ledger here, asks the remote for one. RB_ERROR with a hint if something is missing or another
 * one. */
enum rb_code rb_policy_bound(const rb_env *env, rb_state *state, const rb_session *session,
                             const json_t *of_databases, rb_err *err);

/* Adds the pins of this clone's ledger to `pins`, and stores them in the state. Unknown ones are
 * left as they are. */
enum rb_code rb_policy_pin(json_t *pins, rb_state *state, const rb_session *session, rb_err *err);
/* Adds the pins of the state, for a transition that is continued. */
enum rb_code rb_policy_pinned(json_t *pins, rb_state *state, rb_err *err);

#endif
