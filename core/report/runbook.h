/*
 * Writes the runbook of one revert as Markdown: detection, decision, execution, verification,
 * owners and escalation. It is made from the plan and the environment's settings, so that it
 * matches them.
 */
#ifndef RB_REPORT_RUNBOOK_H
#define RB_REPORT_RUNBOOK_H

#include "config/environment.h"
#include "ledger/policy.h"
#include "transition/plan.h"

/* Writes what is known when the release is made, without an environment. */
void rb_runbook_write_release(rb_buf *out, const rb_release *release);

/* program: the start of command lines, "rbtool" and its options before the command. */
void rb_runbook_write(rb_buf *out, const rb_plan *plan, const rb_env *env, const rb_policy *policy,
                      const char *program);

#endif
