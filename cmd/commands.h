/* The command table, in the order that help lists it. A new command is a file and a line here. */
#ifndef RB_CMD_COMMANDS_H
#define RB_CMD_COMMANDS_H

#include "cli.h"

#define RB_VERSION "0.1.0"

extern const rb_command rb_cmd_init, rb_cmd_env, rb_cmd_release, rb_cmd_list, rb_cmd_show,
    rb_cmd_verify, rb_cmd_diff, rb_cmd_reconstruct, rb_cmd_lint, rb_cmd_plan, rb_cmd_deploy,
    rb_cmd_revert, rb_cmd_resume, rb_cmd_abort, rb_cmd_status, rb_cmd_check, rb_cmd_mark,
    rb_cmd_approve, rb_cmd_policy, rb_cmd_log, rb_cmd_sync, rb_cmd_attest, rb_cmd_hook;

#define RB_COMMANDS                                                                                \
    &rb_cmd_init, &rb_cmd_env, &rb_cmd_release, &rb_cmd_list, &rb_cmd_show, &rb_cmd_verify,        \
        &rb_cmd_diff, &rb_cmd_reconstruct, &rb_cmd_lint, &rb_cmd_plan, &rb_cmd_deploy,             \
        &rb_cmd_revert, &rb_cmd_resume, &rb_cmd_abort, &rb_cmd_status, &rb_cmd_check,              \
        &rb_cmd_mark, &rb_cmd_approve, &rb_cmd_policy, &rb_cmd_log, &rb_cmd_sync, &rb_cmd_attest,  \
        &rb_cmd_hook

#endif
