/*
 * Evidence that the policy asks for in an environment (design section 7): drills, looks at backups,
 * reviews; and whether a transition of the ledger met the rules that were in force when its plan
 * was made. A deploy that followed another release needs evidence; a revert and the first deploy do
 * not.
 */
#ifndef RB_LEDGER_EVIDENCE_H
#define RB_LEDGER_EVIDENCE_H

#include "ledger/history.h"

/* The rules of environments.NAME.maxAge: "drill", "backup", "review"; NULL ends them. */
extern const char *const rb_evidence_rules[];

/* Returns the newest entry that counts as evidence at that time: a drill that worked, a backup that
 * was restored or reviewed, a review that is not due again. NULL if the ledger has none, or none
 * before the entry `before` (NULL: all). */
const rb_entry *rb_evidence_newest(const rb_policy *policy, const char *environment,
                                   const char *rule, const rb_entry *before, int64_t now);

/*
 * Adds the rules that were in force for a transition to out, except approvals (unapproved.h):
 * {"rule","environment","transition","needed","found","met","by"}. `needed` and `found` are texts;
 * `by` is the entry that met the rule, or the override that excuses it, or null. With transition
 * NULL a deploy that began now is judged.
 */
void rb_evidence_judge(json_t *out, const rb_policy *policy, const char *environment,
                       const rb_entry *transition, int64_t now);

/* What people agreed to lose in a transition, by its entry's detail: values, and rows of whole
 * tables. */
int64_t rb_evidence_lost(const json_t *detail);

/* The shape of an item of that list, also for approvals. */
json_t *rb_evidence_item(const char *rule, const char *environment, const rb_entry *transition,
                         const char *needed, const char *found, bool met, const rb_entry *by);

#endif
