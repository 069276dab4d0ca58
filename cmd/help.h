/* What `rbtool help` and `rbtool help COMMAND` print. */
#ifndef RB_CMD_HELP_H
#define RB_CMD_HELP_H

#include "cli.h"

/* The list of commands by group, the options of every command, the exit codes. */
void rb_help_usage(const rb_opt *global_opts);
/* Usage, options and the text of the command's page in cmd/man, which its manual is built from too.
 */
void rb_help_command(const rb_command *command);

#endif
