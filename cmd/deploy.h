/* What `deploy` and `plan --deploy` share. */
#ifndef RB_CMD_DEPLOY_H
#define RB_CMD_DEPLOY_H

#include "env_session.h"

/* Deploys TAG in an open environment, under the lock; with options->dry_run prints the plan only,
 * and needs no lock. */
enum rb_code rb_deploy(rb_cli *cli, rb_site *site, const rb_options *options, const char *tag,
                       rb_err *err) RB_MUST_USE;

#endif
