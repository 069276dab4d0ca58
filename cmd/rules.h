/*
 * The policy's rules where a transition begins (design section 7): the release's signer, a key
 * where entries must be signed, approvals and the one way past them, who may agree to a loss.
 */
#ifndef RB_CMD_RULES_H
#define RB_CMD_RULES_H

#include "books.h"
#include "site.h"

/* Before planning, which runs the release's scripts on copies: RB_ERROR where there should be a
 * policy and is none; RB_FOUND when the signer of TO, or of the mended scripts, does not fit. */
enum rb_code rb_rules_releases(rb_cli *cli, const rb_plan_request *request,
                               rb_err *err) RB_MUST_USE;

/* Adds the decision on approvals to the plan. passed: --break-glass is given. *missing: how many
 * approvals there are not. */
enum rb_code rb_rules_approvals(int *missing, rb_cli *cli, rb_plan *plan,
                                const rb_plan_request *request, bool passed,
                                rb_err *err) RB_MUST_USE;

/* Before anything is asked: RB_ERROR where entries must be signed and this host cannot. */
enum rb_code rb_rules_signed(rb_cli *cli, const rb_plan_request *request, rb_err *err) RB_MUST_USE;
/* A loss is agreed to: RB_DECIDE when the plan has one and the caller is not in role accept-loss.
 */
enum rb_code rb_rules_loss(rb_cli *cli, const rb_plan *plan, const rb_plan_request *request,
                           rb_err *err) RB_MUST_USE;

/* Writes the override entry, before the transition begins. */
enum rb_code rb_rules_override(rb_cli *cli, const rb_plan *plan, const rb_plan_request *request,
                               const char *why, rb_err *err) RB_MUST_USE;

#endif
