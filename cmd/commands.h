/*
 * The command table, in the order in which `rbtool help` lists it. A new command is a file, a line
 * here, and its page cmd/man/rbtool-NAME.1.md.
 */
#ifndef RB_CMD_COMMANDS_H
#define RB_CMD_COMMANDS_H

#include "base/version.h"
#include "cli.h"

#define RB_COMMANDS(X)                                                                             \
    X(init)                                                                                        \
    X(env)                                                                                         \
    X(adopt)                                                                                       \
    X(release)                                                                                     \
    X(list)                                                                                        \
    X(show)                                                                                        \
    X(verify)                                                                                      \
    X(diff)                                                                                        \
    X(reconstruct)                                                                                 \
    X(lint)                                                                                        \
    X(prove)                                                                                       \
    X(plan)                                                                                        \
    X(deploy)                                                                                      \
    X(revert)                                                                                      \
    X(resume)                                                                                      \
    X(abort)                                                                                       \
    X(backups)                                                                                     \
    X(restore)                                                                                     \
    X(drill)                                                                                       \
    X(status)                                                                                      \
    X(check)                                                                                       \
    X(mark)                                                                                        \
    X(approve)                                                                                     \
    X(note)                                                                                        \
    X(policy)                                                                                      \
    X(log)                                                                                         \
    X(sync)                                                                                        \
    X(report)                                                                                      \
    X(metrics)                                                                                     \
    X(attest)                                                                                      \
    X(hook)

#define RB_DECLARE_COMMAND(name) extern const rb_command rb_cmd_##name;
RB_COMMANDS(RB_DECLARE_COMMAND)

#endif
