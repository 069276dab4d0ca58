/* What `rbtool env` and `rbtool env check` share. */
#ifndef RB_CMD_ENV_H
#define RB_CMD_ENV_H

#include "site.h"

/* `env check`: name NULL: every environment. RB_FOUND if something is an error. */
enum rb_code rb_env_check_host(rb_cli *cli, const char *name, rb_err *err) RB_MUST_USE;

#endif
