/*
 * ROOT/.rbtool and ROOT/releases: what is in them is believed, and files are written below. ROOT
 * itself may belong to an application's user; what he could have put there is neither.
 */
#ifndef RB_ENVIRONMENT_ROOT_H
#define RB_ENVIRONMENT_ROOT_H

#include <stdbool.h>

#include "base/err.h"

/* Before anything is written: folders, and the journal in them, are no symlinks, and belong to root
 * or the effective user. What is missing is fine. */
enum rb_code rb_root_trust(const char *root, rb_err *err) RB_MUST_USE;

/* Whether there is a journal to look at, whoever it belongs to. What may not be looked at, or is a
 * symlink, is an error. */
enum rb_code rb_root_has_state(bool *out, const char *root, rb_err *err) RB_MUST_USE;

#endif
