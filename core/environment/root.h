/*
 * Protects ROOT/.rbtool and ROOT/releases: rbtool trusts their content and writes files below
 * them. ROOT itself may belong to an application's user, who must not be able to replace them.
 */
#ifndef RB_ENVIRONMENT_ROOT_H
#define RB_ENVIRONMENT_ROOT_H

#include <stdbool.h>

#include "base/err.h"

/* Fails unless the folders, and the journal in them, are not symlinks and belong to root or the
 * effective user. They may be missing. Must be called before anything is written. */
enum rb_code rb_root_trust(const char *root, rb_err *err);

/*
 * Open ROOT/.rbtool and ROOT/releases and hold their descriptors as anchors (base/anchor.h) until
 * rb_root_drop(), so that ROOT's owner cannot exchange them while a transition runs. Creates
 * ROOT, ROOT/releases and ROOT/.rbtool (mode 0755, whatever the umask is) if they are missing:
 * everybody who may enter ROOT may read its state. Only backups are private (0700, files 0600).
 * Refuses what rb_root_trust() refuses, and folders that every user may write to.
 */
enum rb_code rb_root_hold(const char *root, rb_err *err);
void rb_root_drop(const char *root);

/* Sets *out if a journal exists, of any owner. RB_ERROR if it cannot be inspected or is a symlink.
 */
enum rb_code rb_root_has_state(bool *out, const char *root, rb_err *err);

#endif
