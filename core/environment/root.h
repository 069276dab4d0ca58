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

/*
 * Open ROOT/.rbtool and ROOT/releases and keep their descriptors as anchors (base/anchor.h) until
 * rb_root_drop(), so that ROOT's owner cannot exchange them while a transition runs. Creates ROOT
 * and ROOT/releases and ROOT/.rbtool (mode 0755) if they are missing, whatever the umask: who may
 * enter ROOT may look at its state. Only backups are private (0700, files 0600).
 * Refuses what rb_root_trust() refuses, and folders that every user may write to.
 */
enum rb_code rb_root_hold(const char *root, rb_err *err) RB_MUST_USE;
void rb_root_drop(const char *root);

/* Whether there is a journal to look at, whoever it belongs to. What may not be looked at, or is a
 * symlink, is an error. */
enum rb_code rb_root_has_state(bool *out, const char *root, rb_err *err) RB_MUST_USE;

#endif
