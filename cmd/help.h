/* Prints `rbtool help` and `rbtool help COMMAND`. */
#ifndef RB_CMD_HELP_H
#define RB_CMD_HELP_H

#include "cli.h"

/* Prints the commands by group, the options that every command takes, and the exit codes. */
void rb_help_usage(const rb_opt *global_opts);
/* Prints usage, options and the text of the command's page in cmd/man. The manual page is built
 * from the same text. */
void rb_help_command(const rb_command *command);

#endif
