/* What `revert` and `plan` share: the request for undoing TAG, and where it goes. */
#ifndef RB_CMD_REVERT_H
#define RB_CMD_REVERT_H

#include "env_session.h"
#include "transition/known_good.h"

/*
 * nothing: why there is nothing to do, TAG being live in none of the parts asked for; else NULL.
 * With --only those parts move that TAG is live in; else every part that anything is live in, since
 * all of an environment is at TO after it.
 */
enum rb_code rb_revert_request(rb_plan_request *rq, char **nothing, const rb_site *site,
                               const rb_strs *only, const char *tag, rb_err *err) RB_MUST_USE;

/* --to, else the previous known-good. site NULL: no environment. parts: those that move. */
enum rb_code rb_revert_target(rb_known_good *good, rb_cli *cli, const rb_site *site,
                              const rb_release *from, const bool parts[RB_PARTS], const char *to,
                              rb_err *err) RB_MUST_USE;

#endif
