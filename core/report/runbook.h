/*
 * The runbook of one revert, in Markdown: detection, decision, execution, verification, owners and
 * escalation. Made from the plan and the environment's definition, so that it is as true as they
 * are.
 */
#ifndef RB_REPORT_RUNBOOK_H
#define RB_REPORT_RUNBOOK_H

#include "config/environment.h"
#include "ledger/policy.h"
#include "transition/plan.h"

/* Writes what is known of it when the release is made, without an environment. */
void rb_runbook_write_release(rb_buf *out, const rb_release *release);

/* program: how commands begin, "rbtool" and what it was given before the command's name. */
void rb_runbook_write(rb_buf *out, const rb_plan *plan, const rb_env *env, const rb_policy *policy,
                      const char *program);

#endif
