/*
 * Evidence that a policy requires for an environment (design section 7): drills, checks of backups,
 * reviews. Also finds out whether a transition met the rules that were in force when its plan was
 * made. A deploy requires evidence if it follows another release; a revert and the first deploy do
 * not.
 */
#ifndef RB_LEDGER_EVIDENCE_H
#define RB_LEDGER_EVIDENCE_H

#include "ledger/history.h"

/* Names of rules in environments.NAME.maxAge: "drill", "backup", "review"; NULL-terminated. */
extern const char *const rb_evidence_rules[];

/* Returns the newest entry that is evidence for the rule at the time `now`: a drill that succeeded,
 * a backup that was restored or reviewed, a review whose next one is not due. Only considers
 * entries before the entry `before` (NULL: all). NULL if there is none. */
const rb_entry *rb_evidence_newest(const rb_policy *policy, const char *environment,
                                   const char *rule, const rb_entry *before, int64_t now);

/*
 * Judges a transition (NULL: a deploy that starts now) by the rules in force, except approvals
 * (unapproved.h), and adds the results to out: {"rule","environment","transition","needed","found",
 * "met","by"}. `needed` and `found` are texts; `by` is the entry that met the rule, or the override
 * that excuses it, or null.
 */
void rb_evidence_judge(json_t *out, const rb_policy *policy, const char *environment,
                       const rb_entry *transition, int64_t now);

/* Returns the number of values, and rows of whole tables, that people accepted to lose in a
 * transition. detail: of its entry. */
int64_t rb_evidence_lost(const json_t *detail);

/* Makes an item of that list; also used for approvals. */
json_t *rb_evidence_item(const char *rule, const char *environment, const rb_entry *transition,
                         const char *needed, const char *found, bool met, const rb_entry *by);

#endif
