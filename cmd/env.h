/* What `rbtool env`, `env check` and `env trust` share. */
#ifndef RB_CMD_ENV_H
#define RB_CMD_ENV_H

#include "env_session.h"

/* `env check`: name NULL: every environment. RB_FOUND if something is an error. */
enum rb_code rb_env_check_host(rb_cli *cli, const char *name, rb_err *err) RB_MUST_USE;

/* `env trust`: accept what differs. RB_ERROR without a reason (-m), or without a key where a policy
 * is in force, if the rules of another environment or host stop applying. */
enum rb_code rb_env_trust(rb_cli *cli, const rb_options *options, rb_err *err) RB_MUST_USE;

#endif
