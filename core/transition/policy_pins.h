/*
 * What binds an environment to its ledger (design section 7), so that a policy cannot be skipped:
 * the first entry of the ledger, the root (git config rbtool.root) and the newest policy entry are
 * pinned in the environment's state and in every database's journal row. A clone without that
 * ledger, with an older one, or with another root does not move the environment.
 *
 * Pins: "ledger" and "policy" are ids of entries; "root" is JSON, {"key": fingerprint of the key
 * that signed the policy, "principals": [values of rbtool.root]}. A root may be replaced or added
 * where the policy that is in force under the new one is in force under the pinned one too, and
 * each new root has set a policy under it. A root that is a key is replaced by keys only.
 *
 * A transition pins what the ledger holds when it begins. A ledger that is begun by the
 * transition's own entry, and a policy that is set after it, are pinned by the next transition:
 * until then the environment is bound to neither, and a clone without that ledger may move it.
 *
 * The session's ledger is open; state is NULL where the environment has none yet.
 */
#ifndef RB_TRANSITION_POLICY_PINS_H
#define RB_TRANSITION_POLICY_PINS_H

#include "config/environment.h"
#include "environment/state.h"
#include "session/session.h"

/* RB_ERROR with what to do where the ledger, the policy or the root here is not the one that the
 * environment is bound to, or where there should be one and it is not here. Without a ledger here
 * the remote is asked for one. */
enum rb_code rb_policy_bound(const rb_env *env, rb_state *state, const rb_session *session,
                             rb_err *err);

/* Adds the members to pins, and sets them in the state. Those that nothing is known of stay. */
enum rb_code rb_policy_pin(json_t *pins, rb_state *state, const rb_session *session, rb_err *err);
/* Adds what the state has: for a transition that is continued. */
enum rb_code rb_policy_pinned(json_t *pins, rb_state *state, rb_err *err);

#endif
