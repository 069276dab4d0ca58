/* What `rbtool init` finds in a repository. */
#ifndef RB_CMD_INIT_H
#define RB_CMD_INIT_H

#include "cli.h"

typedef struct rb_found {
    json_t *config; /* the rbtool.json to write */
    rb_strs said;   /* a line for each thing found, and for each that needs a person */
} rb_found;

enum rb_code rb_init_detect(rb_found *out, rb_repo *repo, rb_err *err) RB_MUST_USE;
void rb_found_clear(rb_found *found);

#endif
